"""What the tests share: profiles of hypothesis, the data beside the checkout, and small tokenizers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import tokmill

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
# The same examples each time, so that a change is what makes a test fail; `make soak` looks for new ones.
settings.register_profile("default", max_examples=60, derandomize=True, **_COMMON)
settings.register_profile("soak", max_examples=6000, **_COMMON)
settings.load_profile("default")

DATA = Path(os.environ.get("TOKMILL_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))
"""Real vocabularies and texts, which are not part of the project."""


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no data: {DATA} does not exist (set TOKMILL_DATA to the folder that holds vocabs/ and text/)")
    return DATA


@pytest.fixture(scope="session")
def tokenizer() -> tokmill.Tokenizer:
    """A small byte-level tokenizer without normaliser or prefix space, whose pattern covers all text."""
    import peers

    return tokmill.Tokenizer.from_bytes(peers.train("gpt2").to_str())
