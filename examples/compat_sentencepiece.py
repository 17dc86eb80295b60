"""Code written for sentencepiece, on tokmill: the import is the only line that changes."""

import io
import json
from pathlib import Path

import sentencepiece as owner

from tokmill.compat import sentencepiece  # instead of: import sentencepiece

corpus = Path(json.__file__).read_text(encoding="utf-8").splitlines()
model = io.BytesIO()
owner.SentencePieceTrainer.train(
    sentence_iterator=iter(corpus), model_writer=model, vocab_size=400, hard_vocab_limit=False, minloglevel=2
)
processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())

text = "Serialize ``obj`` to a JSON formatted ``str``."
print(processor.encode(text, out_type=str))
print(processor.encode(text, add_bos=True, add_eos=True)[:5], processor.decode(processor.encode(text)))
print(processor.nbest_encode("JSON object", nbest_size=2, out_type=str))
sentencepiece.set_random_generator_seed(1)
print(processor.sample_encode_as_pieces("JSON object", -1, 0.2))

peer = owner.SentencePieceProcessor(model_proto=model.getvalue())
for form in (int, str, "offset_mapping"):
    assert processor.encode(corpus, out_type=form) == peer.encode(corpus, out_type=form)
print("the same ids, pieces and offsets as sentencepiece")
