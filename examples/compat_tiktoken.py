"""Code written for tiktoken, on tokmill: the import is the only line that changes."""

import json
from pathlib import Path
from typing import Any

import tiktoken as owner

import tokmill
from tokmill.compat import tiktoken  # instead of: import tiktoken

# A published encoding is `tiktoken.get_encoding("o200k_base")`, read from tiktoken's cache; this one is made here.
corpus = Path(json.__file__).read_text(encoding="utf-8")
trained = tokmill.train_bpe([corpus], 600)
arguments: dict[str, Any] = {
    "name": "small",
    "pat_str": tokmill.patterns()["o200k_base"][0],
    "mergeable_ranks": {trained.token_bytes(id): id for id in range(len(trained))},
    "special_tokens": {"<|endoftext|>": 600},
}
encoding = tiktoken.Encoding(**arguments)

print(encoding, encoding.n_vocab, encoding.encode("def dumps(obj):"))
print(encoding.decode_with_offsets(encoding.encode("naïve café")))
assert encoding.encode("<|endoftext|>", allowed_special="all") == [encoding.eot_token]
try:
    encoding.encode("a stray <|endoftext|> in the text")
except ValueError as error:
    print("refused:", str(error).partition("\n")[0])

lines = corpus.splitlines()
assert encoding.encode_batch(lines) == owner.Encoding(**arguments).encode_batch(lines)
print("the same ids as tiktoken")
