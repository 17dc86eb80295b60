"""Find the piece of the original text that each token came from."""

import json
from pathlib import Path

import tokmill

corpus = Path(json.__file__).read_text(encoding="utf-8")
tokenizer = tokmill.train_bpe([corpus], 600)

text = "naïve café: json.dumps"
ids, spans = tokenizer.encode_with_offsets(text, unit="char")
for token_id, (begin, end) in zip(ids.tolist(), spans.tolist(), strict=True):
    print(f"{token_id:4}  {begin:2}..{end:2}  {text[begin:end]!r}")

# Spans in bytes are exact: they cut the text without gap or overlap, even inside a character.
data = text.encode()
ids, spans = tokenizer.encode_with_offsets(text, unit="byte")
assert b"".join(data[begin:end] for begin, end in spans.tolist()) == data
print("bytes covered:", int(spans[-1, 1]), "of", len(data))
