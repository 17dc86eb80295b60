"""Encode a batch into a rectangle of ids and a mask, ready for a model."""

import json
from pathlib import Path

import tokmill

# A small tokenizer to play with; `tokmill.Tokenizer.from_file` loads an existing one.
corpus = Path(json.__file__).read_text(encoding="utf-8")
tokenizer = tokmill.train_bpe([corpus], 600, special_tokens=["<pad>"])
pad_id = tokenizer.token_id("<pad>")
assert pad_id is not None

texts = ["json.dumps(obj)", "import json", "", "Serialize obj to a JSON formatted str."]
batch = tokenizer.encode_batch(texts)

# Rows of different length lie one after another in `values`; `offsets` says where each begins.
print("rows", len(batch), "ids", len(batch.values), "lengths", [len(row) for row in batch])

ids, mask = batch.to_padded(pad_id=pad_id)
print("padded", ids.shape, ids.dtype, mask.dtype)

ids, mask = batch.to_padded(pad_id=pad_id, length=16, side="left")
print("left-padded", ids.shape, "padding in the last row:", int((~mask[-1]).sum()))

assert tokenizer.decode_batch(batch) == texts
