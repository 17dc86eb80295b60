"""Turn a token model into a byte model: here an n-gram model, so that numpy is all it takes.

A tokenizer cuts a prompt where the prompt happens to end, and the model takes that as a sign of what cannot come next.
The byte model does not care where tokens begin and end.
"""

import sysconfig
from pathlib import Path

import numpy as np

import tokmill

paths = sorted(Path(sysconfig.get_path("stdlib"), "json").glob("*.py"))
corpus = [path.read_bytes() for path in paths]
tokenizer = tokmill.train_bpe(corpus, 600, special_tokens=["<|endoftext|>"])
end_of_text = tokenizer.special_tokens["<|endoftext|>"]

# Any function from token sequences to logits will do; see byte_level_gpt.py for a neural one.
model = tokmill.NgramModel(tokenizer.vocab_size, order=3)
model.fit([[*tokenizer.encode(text).tolist(), end_of_text] for text in corpus])
engine = tokmill.ByteEngine(tokenizer, end_of_text=end_of_text)
lm = tokmill.ByteLM(engine, model)

# The prompt ends inside a word. What do the tokens say comes next, and what the bytes?
prompt = b"import re\n\nfrom json import scanne"
naive = np.zeros(256)
for token_id, p in enumerate(np.exp(model([tokenizer.encode(prompt)])[0])):
    if token_id != end_of_text:
        naive[tokenizer.token_bytes(token_id)[0]] += p
exact = np.exp(lm.next(prompt))
print(f"tokens      {prompt[-6:]!r} then 'r': {naive[ord('r')]:.3f}")
print(f"bytes       {prompt[-6:]!r} then 'r': {exact[ord('r')]:.3f}")

# The text so far is one of these token sequences; their probabilities add up to that of the text.
session = lm.start(prompt)
for ids, log_prob in sorted(session.cover(), key=lambda member: -member[1])[:3]:
    share = np.exp(log_prob - session.log_prob)
    print(f"cover       {share:.3f} {[tokenizer.token_bytes(token_id) for token_id in ids[-4:]]}")

# Bytes are what models with different tokenizers have in common: they can be compared, and joined.
other = tokmill.train_bpe(corpus, 400, pattern="gpt2", special_tokens=["<|endoftext|>"])
other_end = other.special_tokens["<|endoftext|>"]
other_model = tokmill.NgramModel(other.vocab_size, order=4)
other_model.fit([[*other.encode(text).tolist(), other_end] for text in corpus])
other_lm = tokmill.ByteLM(tokmill.ByteEngine(other, end_of_text=other_end), other_model)
both = tokmill.Ensemble([lm, other_lm], mode="bayes")

text = b"def load(path):\n    with open(path) as file:\n        return json.load(file)\n"
scores = {"600 ids": lm.score(text), "400 ids": other_lm.score(text), "both": both.score(text)}
for name, score in scores.items():
    print(f"{name:11} {score.bits_per_byte:.3f} bits per byte")

print("sample     ", lm.sample(60, prompt=b"    return json.dum", seed=1, utf8=True, stop="\n"))
print("tokens     ", tokenizer.decode(lm.sample_tokens(12, prompt=b"    return json.dum", seed=1)).encode())
assert abs(exact.sum() + sum(map(np.exp, session.specials.values())) - 1) < 1e-9
