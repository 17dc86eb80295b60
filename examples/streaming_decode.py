"""Print text while a model is still producing ids, and never half a character."""

import json
from pathlib import Path

import tokmill

corpus = Path(json.__file__).read_text(encoding="utf-8")
tokenizer = tokmill.train_bpe([corpus], 400)

# Characters that the small vocabulary has no token for arrive byte by byte.
text = "a café, 你好, and a 🦜"
stream = tokenizer.stream()
pieces = [stream.push(token_id) for token_id in tokenizer.encode(text).tolist()]
pieces.append(stream.finish())

print([piece for piece in pieces if piece])
print("ids that completed no character:", pieces.count(""))
assert "".join(pieces) == text
