"""Runs a library's own tests on tokmill's face of it, and without, to compare.

    python tests/owners.py tiktoken path/to/tiktoken-0.14.0 [pytest options]
    python tests/owners.py sentencepiece path/to/sentencepiece-0.2.3 [pytest options]
    python tests/owners.py tokenizers path/to/tokenizers-0.23.3 [pytest options]

The path is the unpacked source distribution, from `pip download --no-deps --no-binary NAME`; its tests are not
ours and not kept here. Nothing is fetched: rank files are made from the vocabularies in `TOKMILL_DATA`, and tests of
tokenizers that download files fail with either library. `--owner` runs the tests on the owner's library instead. Those
of tokenizers need pytest-asyncio, tqdm and huggingface_hub.
"""

import importlib
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import published  # noqa: E402

TESTS = {
    "tiktoken": ["tests"],
    "sentencepiece": ["test/sentencepiece_test.py", "test/numpy_test.py"],
    "tokenizers": ["bindings/python/tests"],
}


def main(library: str, source: Path, *options: str) -> int:
    data = Path(os.environ.get("TOKMILL_DATA", HERE.parent.parent / "shared" / "data"))
    # Imported first, or the tests would find the sources beside them, which are not built.
    owner = importlib.import_module(library)
    if "--owner" in options:
        options = tuple(option for option in options if option != "--owner")
    else:
        face = importlib.import_module(f"tokmill.compat.{library}")
        if library == "sentencepiece":
            # The models of some tests are trained first, by the owner.
            face.SentencePieceTrainer = owner.SentencePieceTrainer
        alias(library, face)
    root = source
    if library == "tokenizers":
        # Its tests look for files relative to this directory, and ask for its name.
        root = source / "bindings" / "python"
        os.chdir(root)
        os.environ["HF_HUB_OFFLINE"] = "1"
        # Only tests that download something use it.
        sys.modules.setdefault("datasets", ModuleType("datasets"))
    with tempfile.TemporaryDirectory() as cache:
        # Examples of earlier runs would be repeated.
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(Path(cache) / "hypothesis")
        if library == "tiktoken":
            published.write_cache(data / "vocabs", Path(cache))
            os.environ["TIKTOKEN_CACHE_DIR"] = cache
        paths = [str(source / test) for test in TESTS[library]]
        # Neither our settings nor the owner's.
        settings = Path(cache) / "pytest.ini"
        settings.write_text("[pytest]\n", encoding="ascii")
        return pytest.main(
            ["-q", "-c", str(settings), "--rootdir", str(root), "-p", "no:cacheprovider", *paths, *options]
        )


def alias(library: str, face: ModuleType) -> None:
    """Puts the face in the owner's place, with all its modules."""
    for name in [name for name in sys.modules if name.startswith(f"{library}.")]:
        del sys.modules[name]
    prefix = f"{face.__name__}."
    parts = {name.removeprefix(prefix): module for name, module in sys.modules.items() if name.startswith(prefix)}
    sys.modules[library] = face
    for name, module in parts.items():
        sys.modules[f"{library}.{name}"] = module
    sys.modules[f"{library}.{library}"] = face


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in TESTS:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).resolve(), *sys.argv[3:]))
