"""Drop-in faces: other libraries' classes and functions, on tokmill's core.

Each module carries the name of the library it stands for, so that an import is the only line to change:

>>> from tokmill.compat import tiktoken  # instead of: import tiktoken
>>> from tokmill.compat import sentencepiece  # instead of: import sentencepiece
>>> from tokmill.compat import tokenizers  # instead of: import tokenizers

What is covered, and what is not, is in `docs/compatibility.md`.
"""

__all__ = ["sentencepiece", "tiktoken", "tokenizers"]
