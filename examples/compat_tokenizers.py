"""Code written for Hugging Face tokenizers, on tokmill: the import is the only line that changes."""

import json
from pathlib import Path

import tokenizers as owner

from tokmill.compat.tokenizers import (  # not: tokenizers
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)

corpus = Path(json.__file__).read_text(encoding="utf-8").splitlines()

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>", "</s>", "<pad>"], show_progress=False)
tokenizer.train_from_iterator(corpus, trainer)
tokenizer.post_processor = processors.TemplateProcessing(
    single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 1)]
)
tokenizer.enable_padding(pad_id=2, pad_token="<pad>")
tokenizer.enable_truncation(12, stride=2)

encoding = tokenizer.encode("def dumps(obj):", "a pair")
print(encoding.tokens)
print(encoding.type_ids, encoding.word_ids, encoding.offsets[:3])
print(tokenizer.decode(encoding.ids), "|", len(encoding.overflowing), "windows more")

reference = owner.Tokenizer.from_str(tokenizer.to_str())
for ours, theirs in zip(tokenizer.encode_batch(corpus), reference.encode_batch(corpus), strict=True):
    assert (ours.ids, ours.tokens, ours.offsets) == (theirs.ids, theirs.tokens, theirs.offsets)
    assert (ours.word_ids, ours.attention_mask) == (theirs.word_ids, theirs.attention_mask)
print("the same encodings as tokenizers")
