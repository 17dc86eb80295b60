"""The libraries beside which tokmill is measured: one module each, one interface, pinned in requirements-*.txt.

A module says in its first line which public call it times, and has one function, `load(vocabulary) -> Encoder`, that
raises `Refused` (or whatever the library raises) where the library cannot take the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A library: the name to show, the distribution to ask for its version, and the environment it lives in."""

    module: str
    distribution: str
    environment: str = "stable"


TOKMILL = "tokmill"

PEERS = {
    peer.module: peer
    for peer in [
        Peer(TOKMILL, "tokmill", "own"),
        Peer("gigatoken", "gigatoken"),
        Peer("fastokens", "fastokens"),
        Peer("tokenizers_next", "tokenizers", "next"),
        Peer("quicktok", "quicktok-v1"),
        Peer("splintr", "splintr-rs"),
        Peer("tokie", "tokie"),
        Peer("tiktoken", "tiktoken"),
        Peer("bpe_openai", "bpe-openai"),
        Peer("kitoken", "kitoken"),
        Peer("rs_bpe", "rs-bpe"),
        Peer("sentencepiece", "sentencepiece"),
        Peer("tokenizers", "tokenizers"),
    ]
}
"""Every peer by the name of its module, tokmill first."""
