"""Tokenizers of the Hugging Face hub, through `huggingface_hub` and its cache (the extra `tokmill[hub]`)."""

import os
from pathlib import Path

__all__ = ["TOKENIZER_FILES", "fetch"]

TOKENIZER_FILES = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "tekken.json",
    "*.tiktoken",
]
"""The files of a repository that a tokenizer can be read from; nothing else is downloaded."""


def fetch(name: str, revision: str | None = None, token: str | bool | None = None) -> Path:
    """Return the directory that holds the tokenizer files of the repository `name`, downloading them if need be.

    A `name` that is a local directory is returned as it is. `huggingface_hub` decides where the cache lies and whether
    the network may be used (`HF_HOME`, `HF_HUB_OFFLINE`), and raises its own errors: a repository that is not in the
    cache while offline is an `OSError`.

    Raises:
        ImportError: `huggingface_hub` is not installed.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        message = "from_pretrained needs huggingface_hub: pip install 'tokmill[hub]'"
        raise ImportError(message) from error
    # The variable counts as it is now, not as it was when huggingface_hub was first imported.
    offline = os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}
    return Path(
        snapshot_download(
            name,
            revision=revision,
            token=token,
            allow_patterns=TOKENIZER_FILES,
            local_files_only=offline,
        )
    )
