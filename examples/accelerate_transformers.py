"""A tokenizer of transformers, on tokmill: one call puts another backend under it, once both agree on a sample."""

import json
import time
from pathlib import Path

import tokenizers
import transformers

import tokmill

# In earnest: `tokenizer = tokmill.accelerate(transformers.AutoTokenizer.from_pretrained(...))`. This one is made here.
corpus = Path(json.__file__).parent.rglob("*.py")
texts = [path.read_text(encoding="utf-8") for path in corpus]
backend = tokenizers.Tokenizer(tokenizers.models.BPE())
backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
backend.decoder = tokenizers.decoders.ByteLevel()
alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
special = ["<pad>", "<|user|>", "<|assistant|>"]
backend.train_from_iterator(
    texts, tokenizers.trainers.BpeTrainer(vocab_size=2000, initial_alphabet=alphabet, special_tokens=special)
)

original = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>")
accelerated = tokmill.accelerate(transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>"))
accelerated.chat_template = original.chat_template = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
)

paragraphs = [paragraph for text in texts for paragraph in text.split("\n\n")]
seconds = []
for tokenizer in (original, accelerated):
    begin = time.perf_counter()
    batch = tokenizer(paragraphs, padding=True, return_tensors="np")
    seconds.append(time.perf_counter() - begin)
    print(type(tokenizer).__name__, batch["input_ids"].shape, f"{seconds[-1]:.3f} s")

chat = [{"role": "user", "content": "What is naïve?"}]
assert accelerated.apply_chat_template(chat) == original.apply_chat_template(chat)
options = {"padding": True, "return_tensors": "np", "return_offsets_mapping": True}
expected, batch = original(paragraphs, **options), accelerated(paragraphs, **options)
assert all((batch[key] == expected[key]).all() for key in expected)
print("the same tensors as without tokmill")
