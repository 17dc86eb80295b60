"""Training: the merges of Hugging Face's trainer, from any source, deterministic and interruptible."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import peers
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import CORPUS, texts
from tokenizers import Tokenizer as Peer
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

import tokmill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPECIALS = ["<|endoftext|>", "<|pad|>"]
"""None of them is in the corpus, where tokenizers would count them like any text."""

DOCUMENTS = CORPUS * 3


def train_peer(
    documents: list[str], vocab_size: int, pre_tokenizer: str, *, min_frequency: int = 2, nfc: bool = False
) -> Peer:
    """What tokenizers trains, with specials, alphabet and order as they are by default here."""
    tokenizer = Peer(models.BPE())
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = peers.PRE_TOKENIZERS[pre_tokenizer]()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        show_progress=False,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def assert_same_training(ours: tokmill.Tokenizer, peer: Peer) -> None:
    assert ours.vocab() == peer.get_vocab()
    spelled = [[peers.spell(half) for half in pair] for pair in ours.merges]
    assert spelled == json.loads(peer.to_str())["model"]["merges"]


@pytest.mark.parametrize(
    ("pattern", "pre_tokenizer"),
    [
        ("gpt2", "gpt2 isolated"),
        ("cl100k_base", "cl100k"),
        ("o200k_base", "o200k"),
        ("qwen2", "qwen2"),
        ("tekken", "tekken"),
        ("deepseek_v3", "deepseek"),
        (None, "no cuts"),
        (r"\p{L}", "letters"),
    ],
)
@pytest.mark.parametrize("nfc", [False, True])
def test_merges_are_those_of_tokenizers(pattern: str | None, pre_tokenizer: str, nfc: bool) -> None:
    peer = train_peer(DOCUMENTS, 700, pre_tokenizer, nfc=nfc)
    options = {"pattern": pattern, "special_tokens": SPECIALS, "normalizer": "nfc" if nfc else None}
    ours = tokmill.train_bpe(DOCUMENTS, 700, **options)
    assert_same_training(ours, peer)
    for text in CORPUS:
        assert ours.encode(text, allowed_special="all").tolist() == peer.encode(text).ids
    assert Peer.from_str(ours.to_bytes().decode()).encode(CORPUS[0]).ids == peer.encode(CORPUS[0]).ids


few_letters = st.lists(st.text(alphabet="abc ", max_size=24), max_size=12)


@given(
    documents=(few_letters | st.lists(texts, max_size=6)).filter(any),
    size=st.integers(258, 320),
    frequency=st.integers(1, 3),
)
def test_merges_of_random_corpora(documents: list[str], size: int, frequency: int) -> None:
    peer = train_peer(documents, size, "gpt2 isolated", min_frequency=frequency)
    ours = tokmill.train_bpe(documents, size, pattern="gpt2", special_tokens=SPECIALS, min_frequency=frequency)
    assert_same_training(ours, peer)


def test_special_tokens_in_the_corpus_are_text() -> None:
    with_specials = ["<|pad|>".join(DOCUMENTS), "<|endoftext|><|pad|>", "<|pad|>"]
    peer = train_peer(with_specials, 400, "gpt2 isolated")
    assert_same_training(tokmill.train_bpe(with_specials, 400, pattern="gpt2", special_tokens=SPECIALS), peer)


# -- sources -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected() -> tokmill.Tokenizer:
    return tokmill.train_bpe(DOCUMENTS, 400)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The documents in two files of lines."""
    (tmp_path / "a.txt").write_bytes("".join(DOCUMENTS[:20]).encode())
    (tmp_path / "b.txt").write_bytes("".join(DOCUMENTS[20:]).encode())
    return tmp_path


def test_documents_in_memory(expected: tokmill.Tokenizer) -> None:
    column = pa.array(DOCUMENTS)
    for source in (
        tuple(DOCUMENTS),
        iter(DOCUMENTS),
        [document.encode() for document in DOCUMENTS],
        dict.fromkeys(DOCUMENTS),
        column,
        pa.chunked_array([column[:7], column[7:]]),
    ):
        trained = tokmill.train_bpe(source, 400)
        assert trained.merges == expected.merges or isinstance(source, dict)
    assert tokmill.train_bpe(DOCUMENTS[::-1], 400) == expected


def test_documents_in_files(folder: Path) -> None:
    # Lines of files are cut behind line feeds alone, and the first document of a file has no neighbour in the other.
    lines = [line for name in ("a.txt", "b.txt") for line in io.BytesIO((folder / name).read_bytes())]
    expected = tokmill.train_bpe(lines, 400)
    packed = folder / "packed"
    packed.mkdir()
    for name in ("a.txt", "b.txt"):
        (packed / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    paths = [folder / "a.txt", folder / "b.txt"]
    for source, options in (
        (str(folder / "*.txt"), {}),
        (folder / "*.txt", {}),
        (str(folder / "**" / "*.txt"), {}),
        (paths, {}),
        (None, {"files": paths}),
        (None, {"files": list(map(str, paths))}),
        (str(packed / "*.gz"), {}),
        (paths, {"threads": 3}),
    ):
        assert tokmill.train_bpe(source, 400, **options) == expected
    whole = [(folder / name).read_bytes() for name in ("a.txt", "b.txt")]
    for unit in ("file", "document"):
        assert tokmill.train_bpe(paths, 400, unit=unit) == tokmill.train_bpe(whole, 400)


def test_a_file_named_like_a_glob(folder: Path) -> None:
    path = (folder / "a.txt").rename(folder / "a[1].txt")
    with path.open("rb") as file:
        assert tokmill.train_bpe(str(path), 400) == tokmill.train_bpe(file, 400)


def test_json_lines_and_parquet(tmp_path: Path, expected: tokmill.Tokenizer) -> None:
    lines = tmp_path / "x.jsonl"
    lines.write_text("".join(json.dumps({"body": text, "n": 1}) + "\n" for text in DOCUMENTS), encoding="utf-8")
    assert tokmill.train_bpe(lines, 400, field="body", unit="document") == expected
    parquet = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pa.table({"body": DOCUMENTS, "n": range(len(DOCUMENTS))}), parquet)
    assert tokmill.train_bpe(parquet, 400, column="body", unit="document") == expected
    by_line = tokmill.train_bpe([line for text in DOCUMENTS for line in io.StringIO(text, newline="\n")], 400)
    assert tokmill.train_bpe(lines, 400, field="body") == by_line
    assert tokmill.train_bpe(parquet, 400, column="body") == by_line
    with pytest.raises(tokmill.TokmillError, match="field"):
        tokmill.train_bpe(lines, 400)
    with pytest.raises(tokmill.TokmillError, match="column"):
        tokmill.train_bpe(parquet, 400)


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tokmill.train_bpe(tmp_path / "missing.txt")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        tokmill.train_bpe(str(tmp_path / "*.txt"))
    for wrong in (3, b"one document", [3], [None], {1}):
        with pytest.raises(TypeError):
            tokmill.train_bpe(wrong)
    with pytest.raises(TypeError, match="source"):
        tokmill.train_bpe()
    with pytest.raises(TypeError, match="source"):
        tokmill.train_bpe(["a"], files=["a"])
    with pytest.raises(tokmill.TokmillError, match="lone surrogate at character 1"):
        tokmill.train_bpe(["fine", "a\ud800"])


# -- counts ------------------------------------------------------------------------------------------------------------


@given(documents=st.lists(texts, max_size=6), cut=st.integers(0, 6))
def test_counts_add_up(documents: list[str], cut: int) -> None:
    whole = tokmill.count_words(documents, pattern="gpt2")
    parts = tokmill.count_words(documents[:cut], pattern="gpt2") + tokmill.count_words(documents[cut:], pattern="gpt2")
    assert parts == whole
    assert whole.to_dict() == parts.to_dict()
    assert list(whole.to_dict()) == sorted(whole.to_dict())
    assert len(whole) == len(whole.to_dict())
    assert whole.total == sum(whole.to_dict().values())
    assert all(whole[piece] == count for piece, count in whole.to_dict().items())
    counted = sum(len(piece) * count for piece, count in whole.to_dict().items())
    assert counted == sum(len(document.encode()) for document in documents)
    assert whole["not in it"] == 0


def test_counts_are_a_source(tmp_path: Path, expected: tokmill.Tokenizer) -> None:
    counts = tokmill.count_words(DOCUMENTS)
    assert tokmill.train_bpe(counts, 400) == expected
    counts.save(tmp_path / "counts")
    loaded = tokmill.WordCounts.load(tmp_path / "counts")
    assert loaded == counts
    assert tokmill.train_bpe(loaded, 400) == expected
    tokmill.count_words(DOCUMENTS[::-1], threads=2).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "counts").read_bytes()
    with pytest.raises(TypeError):
        tokmill.count_words(counts)
    with pytest.raises(TypeError):
        counts + 3
    assert sum([counts, counts]) == counts + counts


def test_an_entry_that_no_vocabulary_holds_is_refused() -> None:
    with pytest.raises(tokmill.TokmillError, match="max_token_bytes"):
        tokmill.train_bpe(["ab" * 200_000], 300, pattern=None)
    assert len(tokmill.train_bpe(["ab" * 200_000], 300, pattern=None, max_token_bytes=1000)) < 300


def test_a_memory_limit_changes_nothing(expected: tokmill.Tokenizer) -> None:
    counts = tokmill.count_words(DOCUMENTS * 50, memory_limit=200_000)
    assert counts == tokmill.count_words(DOCUMENTS * 50)
    assert tokmill.train_bpe(DOCUMENTS, 400, memory_limit=1 << 30) == expected
    with pytest.raises(tokmill.TokmillError, match="memory"):
        tokmill.train_bpe(DOCUMENTS, 400, memory_limit=1000)


def test_bad_count_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tokmill.WordCounts.load(tmp_path / "missing")
    path = tmp_path / "counts"
    tokmill.count_words(DOCUMENTS).save(path)
    good = path.read_bytes()
    for bad in (b"", b"no counts", good[:-1], good[: len(good) // 2], good[:40] + b"\xff" + good[41:], good + b"x"):
        path.write_bytes(bad)
        with pytest.raises(tokmill.TokmillError):
            tokmill.WordCounts.load(path)


# -- options -----------------------------------------------------------------------------------------------------------


def tokens_of(tokenizer: tokmill.Tokenizer) -> list[bytes]:
    return [left + right for left, right in tokenizer.merges]


def test_a_trace_adds_up_to_the_counts_after_each_step() -> None:
    """A recount of all pairs by hand after every merge."""
    trace = tokmill.MergeTrace()
    tokenizer = tokmill.train_bpe(DOCUMENTS, 300, trace=trace)
    words = {
        tuple(tokenizer.token_id(piece[at : at + 1]) for at in range(len(piece))): count
        for piece, count in tokmill.count_words(DOCUMENTS).to_dict().items()
    }
    steps = [(tokenizer.token_id(left), tokenizer.token_id(right)) for left, right in tokenizer.merges]
    pairs = zip(trace.initial_left.tolist(), trace.initial_right.tolist(), strict=True)
    counts = dict(zip(pairs, trace.initial_count.tolist(), strict=True))
    assert counts == pair_counts(words)
    assert len(trace.count) == len(trace.end) == len(steps) > 0
    begin = 0
    for step, (left, right) in enumerate(steps):
        assert trace.count[step] == counts[left, right]
        for at in range(begin, int(trace.end[step])):
            pair = (int(trace.left[at]), int(trace.right[at]))
            counts[pair] = counts.get(pair, 0) + int(trace.delta[at])
        begin = int(trace.end[step])
        joined = tokenizer.token_id(tokenizer.token_bytes(left) + tokenizer.token_bytes(right))
        words = {merged(word, left, right, joined): count for word, count in words.items()}
        assert {pair: count for pair, count in counts.items() if count} == pair_counts(words)


def pair_counts(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = {}
    for word, count in words.items():
        for pair in pairwise(word):
            counts[pair] = counts.get(pair, 0) + count
    return counts


def merged(word: tuple[int, ...], left: int, right: int, joined: int) -> tuple[int, ...]:
    result: list[int] = []
    for token in word:
        if result and result[-1] == left and token == right:
            result[-1] = joined
        else:
            result.append(token)
    return tuple(result)


def test_limits_and_vetoes() -> None:
    assert max(map(len, tokens_of(tokmill.train_bpe(DOCUMENTS, 600, max_token_bytes=4)))) == 4
    by_chars = tokens_of(tokmill.train_bpe(DOCUMENTS, 600, max_token_chars=2))
    assert max(len(token.decode(errors="ignore")) for token in by_chars) == 2
    vetoed = tokmill.train_bpe(DOCUMENTS, 600, veto={"substrings": [b"th"], "regex": "[0-9]{2}"})
    assert not any(b"th" in token for token in tokens_of(vetoed))
    assert not any(token.strip(b" ").isdigit() and len(token) > 1 for token in tokens_of(vetoed))
    few_words = tokens_of(tokmill.train_bpe(["one two three four"] * 9, 300, pattern=None, veto={"max_words": 2}))
    assert max(len(token.split(b" ")) - token.count(b"  ") - token.startswith(b" ") for token in few_words) <= 3
    assert max(len([word for word in token.split(b" ") if word]) for token in few_words) == 2


def test_alphabets() -> None:
    seen = tokmill.train_bpe(["abab"], 10, initial_alphabet="seen", min_frequency=1)
    assert {seen.token_bytes(id) for id in range(len(seen))} == {b"a", b"b", b"ab", b"abab"}
    more = tokmill.train_bpe(["abab"], 10, initial_alphabet=b"xyz", min_frequency=1)
    assert {b"x", b"y", b"z", b"a", b"b"} < {more.token_bytes(id) for id in range(len(more))}
    by_value = tokmill.train_bpe(["abab"], 258, alphabet_order="bytes")
    assert [by_value.token_bytes(id) for id in range(256)] == [bytes([byte]) for byte in range(256)]


def test_going_on_from_a_base(expected: tokmill.Tokenizer) -> None:
    small = tokmill.train_bpe(DOCUMENTS, 330)
    assert tokmill.train_bpe(DOCUMENTS, 400, base=small) == expected
    other = tokmill.train_bpe(["entirely different words"] * 5, 340, base=small, special_tokens=["<|late|>"])
    assert [other.token_bytes(id) for id in range(330)] == [small.token_bytes(id) for id in range(330)]
    assert other.merges[: len(small.merges)] == small.merges
    assert "<|late|>" in other.special_tokens


def test_padding_to_a_size() -> None:
    padded = tokmill.train_bpe(["ab" * 9], 258, pad_to=300)
    assert len(padded) == 300
    text = "a      b\n\n\n\nc"
    assert padded.decode(padded.encode(text)) == text


@pytest.mark.parametrize("longest", [3, 4])
def test_short_pieces_in_a_power_of_two(longest: int) -> None:
    """Tokenizers as KL3M's: few bytes a piece, so that a typing error moves few borders (arXiv 2503.17247)."""
    specials = [f"<|{name}|>" for name in ("start", "end", "pad", "unk", "sep", "cls", "mask")]
    ours = tokmill.train_bpe(
        DOCUMENTS,
        1024 - 13,
        pattern="gpt2",
        normalizer="nfkc",
        special_tokens=specials,
        max_token_bytes=longest,
        pad_to=1024,
    )
    peer = Peer(models.BPE())
    peer.normalizer = normalizers.NFKC()
    peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1024 - 13,
        min_frequency=2,
        max_token_length=longest + 1,  # That bound is exclusive.
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    peer.train_from_iterator(DOCUMENTS, trainer)
    vocab = peer.get_vocab()
    assert {entry: id for entry, id in ours.vocab().items() if id < len(vocab)} == vocab
    assert [ours.token_id(name) for name in specials] == list(range(7))
    assert max(map(len, tokens_of(ours))) == longest
    assert len(ours) == 1024
    padding = [ours.token_bytes(id) for id in range(len(vocab), 1024)]
    assert len(set(padding)) == len(padding)
    assert {frozenset(run) for run in padding} <= {frozenset(b" "), frozenset(b"\n")}
    text = "Hearing       of \n\n\n\n the court"
    assert ours.decode(ours.encode(text)) == text


def test_templates() -> None:
    options = {"special_tokens": ["<s>", "</s>"], "vocab_size": 300}
    single = tokmill.train_bpe(DOCUMENTS, template="<s> $A </s>", **options)
    plain = tokmill.train_bpe(DOCUMENTS, **options)
    ids = plain.encode("some text").tolist()
    assert single.encode("some text").tolist() == ids
    assert single.encode("some text", add_special_tokens=True).tolist() == [0, *ids, 1]
    both = tokmill.train_bpe(DOCUMENTS, template=("<s> $A", "<s> $A </s> $B:1 </s>:1"), **options)
    row = both.encode_batch(["some text"], pairs=["some text"], add_special_tokens=True)[0].tolist()
    assert row == [0, *ids, 1, *ids, 1]
    for template in ("<nothing> $A", "$A $B", "<s>$A"):
        with pytest.raises(tokmill.TokmillError, match="template"):
            tokmill.train_bpe(DOCUMENTS, template=template, **options)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"vocab_size": -1}, "vocab_size"),
        ({"vocab_size": 2**40}, "vocab_size"),
        ({"vocab_size": 100}, "vocab_size"),
        ({"pattern": "("}, "pattern"),
        ({"normalizer": "nfx"}, "normalizer"),
        ({"special_tokens": [""]}, "special_tokens"),
        ({"min_frequency": -1}, "min_frequency"),
        ({"initial_alphabet": "some"}, "initial_alphabet"),
        ({"alphabet_order": "random"}, "alphabet_order"),
        ({"max_token_bytes": -1}, "max_token_bytes"),
        ({"veto": {"regex": "("}}, r"pattern|veto"),
        ({"veto": {"substrings": [b""]}}, "veto"),
        ({"pad_to": 10}, "pad_to"),
        ({"threads": 0}, "threads"),
    ],
)
def test_senseless_options(options: dict[str, object], where: str) -> None:
    with pytest.raises(tokmill.TokmillError, match=where):
        tokmill.train_bpe(["some text"], **options)


def never(*_: object) -> Iterator[str]:
    raise AssertionError("the corpus was read")
    yield ""


@pytest.mark.parametrize(
    "train",
    [
        lambda corpus: tokmill.train_bpe(corpus, 100),
        lambda corpus: tokmill.train_bpe(corpus, 300, template="<s> $A"),
        lambda corpus: tokmill.train_bpe(corpus, 300, checkpoint="absent/checkpoint"),
        lambda corpus: tokmill.train_bpe(corpus, 300, max_token_bytes=-1),
        lambda corpus: tokmill.train_bpe(corpus, 300, progress="loud"),
        lambda corpus: tokmill.train_superbpe(corpus, 300, transition=400),
        lambda corpus: tokmill.train_superbpe(corpus, 300, transition=280, patterns=("gpt2", "(")),
        lambda corpus: tokmill.train_wordpiece(corpus, 3),
        lambda corpus: tokmill.train_wordpiece(corpus, 300, template="<s> $A"),
        lambda corpus: tokmill.train_unigram(corpus, 100),
        lambda corpus: tokmill.train_unigram(corpus, 1000, template="<x> $A"),
        lambda corpus: tokmill.train_unigram(corpus, 1000, method="x"),
    ],
)
def test_senseless_options_are_told_before_the_corpus_is_read(train: Callable[[Iterator[str]], object]) -> None:
    with pytest.raises((tokmill.TokmillError, OSError)):
        train(never())


def test_unknown_options() -> None:
    with pytest.raises(TypeError, match="unknown"):
        tokmill.train_bpe(["a"], unknown=1)
    with pytest.raises(TypeError, match="unknown"):
        tokmill.train_bpe(["a"], veto={"unknown": 1})
    with pytest.raises(TypeError):
        tokmill.train_bpe(["a"], vocab_size="many")


# -- watching and stopping ---------------------------------------------------------------------------------------------


def test_progress() -> None:
    told: list[tuple[str, int, int | None]] = []
    tokmill.train_bpe(DOCUMENTS, 400, progress=lambda *progress: told.append(progress))
    assert {phase for phase, _, _ in told} == {"count", "merge"}
    for phase in ("count", "merge"):
        done = [done for each, done, _ in told if each == phase]
        assert done == sorted(done)
    assert all(total is None or done <= total for _, done, total in told)


@pytest.mark.parametrize("phase", ["count", "merge"])
def test_an_exception_of_the_callback_ends_training(phase: str) -> None:
    def stop(current: str, *_: object) -> None:
        if current == phase:
            raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        tokmill.train_bpe(DOCUMENTS, 400, progress=stop)


def test_control_c_ends_training() -> None:
    def interrupt(phase: str, *_: object) -> None:
        if phase == "merge":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        tokmill.train_bpe(DOCUMENTS * 20, 3000, progress=interrupt)
    assert tokmill.train_bpe(DOCUMENTS, 300).vocab_size == 300


def test_a_checkpoint_is_taken_up(tmp_path: Path, expected: tokmill.Tokenizer) -> None:
    path = tmp_path / "checkpoint"
    assert tokmill.train_bpe(DOCUMENTS, 400, checkpoint=path) == expected
    assert tokmill.train_bpe(DOCUMENTS, 400, checkpoint=path) == expected


CHECKPOINTED = """
import os, random, signal, sys
import tokmill
trainer, path, out, stop = sys.argv[1:]
seen = []
def progress(phase, done, total):
    if phase == "merge":
        seen.append(done)
        if done >= int(stop):
            os.kill(os.getpid(), signal.SIGKILL)
draw = random.Random(0)
words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 9))) for _ in range(6000)]
options = {"checkpoint": path, "checkpoint_seconds": 0, "progress": progress, "min_frequency": 1}
if trainer == "bpe":
    tokmill.train_bpe(words * 2, 6000, **options).save(out)
else:
    lines = [" ".join(draw.choices(words[:300], k=9)) for _ in range(2000)]
    tokmill.train_superbpe(lines, 6000, transition=1500, **options).save(out)
print(len(seen))
"""


@pytest.mark.parametrize(("trainer", "stop"), [("bpe", 3000), ("superbpe", 1100), ("superbpe", 3000)])
def test_a_killed_training_goes_on_to_the_same_bytes(trainer: str, stop: int, tmp_path: Path) -> None:
    def run(checkpoint: str, out: str, stop: int) -> subprocess.CompletedProcess[str]:
        arguments = [trainer, str(tmp_path / checkpoint), str(tmp_path / out), str(stop)]
        return subprocess.run(
            [sys.executable, "-c", CHECKPOINTED, *arguments], capture_output=True, text=True, check=False
        )

    whole = run("unused", "whole.json", 1 << 30)
    assert whole.returncode == 0, whole.stderr
    assert run("checkpoint", "out.json", stop).returncode == -signal.SIGKILL
    assert not (tmp_path / "out.json").exists()
    assert (tmp_path / "checkpoint").stat().st_size > 20 * 1000
    again = run("checkpoint", "out.json", 1 << 30)
    assert again.returncode == 0, again.stderr
    assert int(again.stdout) < int(whole.stdout)
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "whole.json"]


DISK_FULL = """
import random, resource, sys
import tokmill
folder = sys.argv[1]
draw = random.Random(0)
words = ["".join(draw.choices("abcdefghij", k=draw.randint(6, 40))) for _ in range(60_000)]
counts = tokmill.count_words(words)
tokenizer = tokmill.train_bpe(counts, 2000)
tokenizer.save(f"{folder}/t.json")
counts.save(f"{folder}/counts")
before = [open(f"{folder}/{name}", "rb").read() for name in ("t.json", "counts")]
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
tasks = {
    "spill": lambda: tokmill.count_words(words, memory_limit=1_000_000),
    "superwords": lambda: tokmill.train_superbpe(words * 25, 2000, transition=1000, memory_limit=100_000_000),
    "save": lambda: tokenizer.save(f"{folder}/t.json"),
    "counts": lambda: counts.save(f"{folder}/counts"),
    "checkpoint": lambda: tokmill.train_bpe(
        counts, 6000, checkpoint=f"{folder}/checkpoint", checkpoint_seconds=0, min_frequency=1
    ),
}
for name, task in tasks.items():
    try:
        task()
    except OSError as error:
        print(name, type(error).__name__, error.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, -1))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the size of files")
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "spilled").mkdir()
    (tmp_path / "kept").mkdir()
    process = subprocess.run(
        [sys.executable, "-c", DISK_FULL, tmp_path / "kept"],
        env=os.environ | {"TMPDIR": str(tmp_path / "spilled")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = dict(line.split(" ", 1) for line in process.stdout.splitlines())
    assert said == dict.fromkeys(["spill", "superwords", "save", "counts", "checkpoint"], f"OSError {errno.EFBIG}")
    assert list((tmp_path / "spilled").iterdir()) == []
    # A checkpoint that was small enough is there too.
    assert {path.name for path in (tmp_path / "kept").iterdir()} - {"checkpoint"} == {"counts", "t.json"}
    assert len(tokmill.WordCounts.load(tmp_path / "kept" / "counts")) > 50_000
    assert tokmill.Tokenizer.from_file(tmp_path / "kept" / "t.json").vocab_size == 2000


def test_progress_as_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    tokmill.train_bpe(DOCUMENTS * 9, 600, progress="json")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {line["phase"] for line in told} == {"count", "merge"}
    assert told[-1]["done"] == told[-1]["total"] == 600 - 256
    assert [line["seconds"] for line in told] == sorted(line["seconds"] for line in told)


@pytest.mark.parametrize("seen", ["terminal", "notebook", "pipe"])
@pytest.mark.parametrize("has_tqdm", [True, False])
def test_progress_as_a_bar(seen: str, has_tqdm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: seen == "terminal", raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    if seen == "notebook":
        monkeypatch.setitem(sys.modules, "ipykernel", io)
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    tokmill.train_bpe(DOCUMENTS, 400, progress="bar")
    shown = screen.getvalue()
    assert ("count: " in shown and "merge: " in shown) == (seen != "pipe")
    with pytest.raises(tokmill.TokmillError, match="progress"):
        tokmill.train_bpe(DOCUMENTS, 400, progress="loud")


def test_long_pieces_are_announced() -> None:
    line = "word and word " * 90_000
    with pytest.warns(UserWarning, match="pieces of up to 1260000 bytes"):
        tokmill.train_bpe([line], 270, pattern=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokmill.train_bpe([line], 270)
        tokmill.train_bpe(["one two"] * 9, 270, pattern=None)
