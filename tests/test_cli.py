"""The command line, as a user meets it: files in, files out, one line on errors."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tokmill
from tokmill.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMANDS = ["encode", "decode", "count", "inspect", "train", "convert", "bench", "doctor"]
TEXT = "The cat sat on the mat.\nNaïve café, 你好 🦜!\n\n\tdef main(): return 12345\r\nno newline at the end"


@pytest.fixture(scope="module")
def tokenizer() -> tokmill.Tokenizer:
    return tokmill.train_bpe([TEXT * 3], 300, pattern="gpt2", special_tokens=["<|endoftext|>"])


@pytest.fixture
def directory(tmp_path: Path, tokenizer: tokmill.Tokenizer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a tokenizer and the text in every kind of file."""
    tokenizer.save(tmp_path / "t.json")
    data = TEXT.encode()
    (tmp_path / "text.txt").write_bytes(data)
    (tmp_path / "text.txt.gz").write_bytes(gzip.compress(data))
    lines = [json.dumps({"text": line, "other": 1}) for line in TEXT.splitlines(keepends=True)]
    (tmp_path / "lines.jsonl").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> None:
    assert main(arguments) == 0


def program(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tokmill", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command fails with."""
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"tokmill {arguments[0]}: error: ")
    assert error.count("\n") == 1
    return error


def names() -> set[str]:
    """What is in the working directory."""
    return {path.name for path in Path().iterdir()}


def encoded(tokenizer: tokmill.Tokenizer, texts: Iterable[str]) -> list[int]:
    return [token_id for text in texts for token_id in tokenizer.encode(text).tolist()]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"example:\n  tokmill {command} " in capsys.readouterr().out


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("source", ["text.txt", "text.txt.gz"])
def test_a_text_file_is_one_document(tokenizer: tokmill.Tokenizer, source: str) -> None:
    run("encode", source, "-t", "t.json", "--out", "ids.bin")
    assert np.fromfile("ids.bin", "<u2").tolist() == encoded(tokenizer, [TEXT])


@pytest.mark.usefixtures("directory")
def test_lines_keep_their_endings(tokenizer: tokmill.Tokenizer) -> None:
    run("encode", "text.txt", "-t", "t.json", "--unit", "line", "--out", "ids.npy")
    lines = [line.decode() for line in io.BytesIO(TEXT.encode())]
    assert np.load("ids.npy").tolist() == encoded(tokenizer, lines)


@pytest.mark.usefixtures("directory")
def test_json_lines_with_an_end_token(tokenizer: tokmill.Tokenizer) -> None:
    arguments = ["lines.jsonl", "-t", "t.json", "--field", "text", "--end-token", "<|endoftext|>"]
    run("encode", *arguments, "--out", "ids.npy")
    end = tokenizer.token_id("<|endoftext|>")
    assert end is not None
    rows = [[*tokenizer.encode(line).tolist(), end] for line in TEXT.splitlines(keepends=True)]
    assert np.load("ids.npy").tolist() == list(itertools.chain.from_iterable(rows))
    done = program("encode", *arguments)
    assert [list(map(int, line.split())) for line in done.stdout.splitlines()] == rows


@pytest.mark.usefixtures("directory")
def test_parquet(tokenizer: tokmill.Tokenizer) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = [f"{TEXT} {number}" for number in range(3000)]
    parquet.write_table(pyarrow.table({"body": texts}), "rows.parquet", row_group_size=700)
    run("encode", "rows.parquet", "-t", "t.json", "--column", "body", "--out", "ids.bin")
    assert np.fromfile("ids.bin", "<u2").tolist() == encoded(tokenizer, texts)


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(("name", "dtype"), [("ids.bin", "uint16"), ("ids.bin", "uint32"), ("ids.npy", "uint32")])
def test_what_was_encoded_comes_back_byte_for_byte(name: str, dtype: str) -> None:
    data = os.urandom(50_000) + TEXT.encode()
    Path("random.dat").write_bytes(data)
    run("encode", "random.dat", "-t", "t.json", "--out", name, "--dtype", dtype)
    run("decode", name, "-t", "t.json", "--dtype", dtype, "--out", "again.dat")
    assert Path("again.dat").read_bytes() == data


@pytest.mark.usefixtures("directory")
def test_pipes_carry_ids_as_text_and_as_binary(tokenizer: tokmill.Tokenizer) -> None:
    data = TEXT.encode() + b"\xff\xfe"
    ids = program("encode", "-t", "t.json", "--unit", "line", stdin=data)
    assert program("decode", "-t", "t.json", stdin=ids.stdout).stdout == data
    binary = program("encode", "-t", "t.json", "--out", "-", stdin=data)
    assert np.frombuffer(binary.stdout, "<u2").tolist() == tokenizer.encode(data).tolist()


@pytest.mark.usefixtures("directory")
def test_a_wide_vocabulary_makes_wide_ids(tokenizer: tokmill.Tokenizer, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer.with_special_tokens({"<|far|>": 70_000}).save("wide.json")
    run("encode", "text.txt", "-t", "wide.json", "--out", "ids.bin")
    assert np.fromfile("ids.bin", "<u4").tolist() == encoded(tokenizer, [TEXT])
    capsys.readouterr()
    assert "uint16" in failure(capsys, "encode", "text.txt", "-t", "wide.json", "--out", "x.bin", "--dtype", "uint16")


@pytest.mark.usefixtures("directory")
def test_special_tokens_in_text_are_text_unless_allowed(tokenizer: tokmill.Tokenizer) -> None:
    Path("special.txt").write_text("a<|endoftext|>b", encoding="utf-8")
    end = tokenizer.token_id("<|endoftext|>")
    run("encode", "special.txt", "-t", "t.json", "--out", "plain.npy")
    run("encode", "special.txt", "-t", "t.json", "--out", "special.npy", "--allow-special")
    assert end not in np.load("plain.npy").tolist()
    assert np.load("special.npy").tolist().count(end) == 1


@pytest.mark.usefixtures("directory")
def test_empty_input_makes_an_empty_file() -> None:
    Path("empty.txt").touch()
    for name in ("ids.bin", "ids.npy"):
        run("encode", "empty.txt", "-t", "t.json", "--out", name)
        run("decode", name, "-t", "t.json", "--out", "again.txt")
        assert Path("again.txt").read_bytes() == b""
    assert np.load("ids.npy").shape == (0,)


@pytest.mark.usefixtures("directory")
def test_count_sums_over_files(tokenizer: tokmill.Tokenizer, capsys: pytest.CaptureFixture[str]) -> None:
    run("count", "text.txt", "lines.jsonl", "-t", "t.json", "--field", "text")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    whole, lines = encoded(tokenizer, [TEXT]), encoded(tokenizer, TEXT.splitlines(keepends=True))
    size = len(TEXT.encode())
    assert [(int(row[0]), int(row[1]), int(row[3]), row[4]) for row in rows] == [
        (len(whole), size, 1, "text.txt"),
        (len(lines), size, 5, "lines.jsonl"),
        (len(whole) + len(lines), 2 * size, 6, "total"),
    ]


@pytest.mark.usefixtures("directory")
def test_train_equals_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--vocab-size", "280", "--pattern", "cl100k_base", "--special-token", "<s>"]
    run("train", "text.txt", *options, "--out", "new.json")
    lines = [line.decode() for line in io.BytesIO(TEXT.encode())]
    expected = tokmill.train_bpe(lines, 280, pattern="cl100k_base", special_tokens=["<s>"])
    assert tokmill.Tokenizer.from_file("new.json") == expected
    assert "new.json" in capsys.readouterr().err


@pytest.mark.usefixtures("directory")
def test_train_unigram_equals_the_library() -> None:
    options = ["--model", "unigram", "--vocab-size", "300", "--special-token", "<s>", "--character-coverage", "1"]
    run("train", "text.txt", *options, "--out", "new.json")
    lines = [line.decode() for line in io.BytesIO(TEXT.encode())]
    expected = tokmill.train_unigram(lines, 300, special_tokens=["<s>"], character_coverage=1.0)
    assert tokmill.Tokenizer.from_file("new.json") == expected
    run("train", "text.txt", *options, "--out", "new.model")
    expected = tokmill.train_unigram(lines, 300, special_tokens=["<s>"], character_coverage=1.0, layout="sentencepiece")
    assert tokmill.Tokenizer.from_file("new.model") == expected


@pytest.mark.usefixtures("directory")
def test_train_wordpiece_equals_the_library() -> None:
    options = ["--model", "wordpiece", "--vocab-size", "90", "--cased", "--min-frequency", "1"]
    run("train", "text.txt", *options, "--out", "new.json")
    lines = [line.decode() for line in io.BytesIO(TEXT.encode())]
    expected = tokmill.train_wordpiece(lines, 90, lowercase=False, min_frequency=1)
    assert tokmill.Tokenizer.from_file("new.json") == expected


@pytest.mark.usefixtures("directory")
def test_train_tells_its_progress_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("train", "text.txt", "--vocab-size", "280", "--progress", "json", "--out", "new.json")
    *told, last = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["phase"] for line in told][-1] == "merge"
    assert "new.json" in last


@pytest.mark.usefixtures("directory")
def test_inspect_shows_the_tokenizer(tokenizer: tokmill.Tokenizer, capsys: pytest.CaptureFixture[str]) -> None:
    run("inspect", "-t", "t.json", "--text", "the cat")
    out = capsys.readouterr().out
    assert tokenizer.fingerprint in out
    assert "'<|endoftext|>' 0" in out
    assert re.search(r"^pattern +gpt2$", out, re.MULTILINE)
    assert " ".join(map(str, tokenizer.encode("the cat").tolist())) in out


@pytest.mark.usefixtures("directory")
def test_convert_there_and_back(tokenizer: tokmill.Tokenizer, capsys: pytest.CaptureFixture[str]) -> None:
    run("convert", "-t", "t.json", "--out", "t.tiktoken", "--check", "text.txt")
    error = capsys.readouterr().err
    assert "ids equal" in error
    assert "pattern='gpt2'" in error
    end = tokenizer.special_tokens["<|endoftext|>"]
    special = ["--pattern", "gpt2", "--special-token", f"<|endoftext|>={end}"]
    run("convert", "-t", "t.tiktoken", *special, "--out", "again.json")
    again = tokmill.Tokenizer.from_file("again.json")
    assert np.array_equal(again.encode(TEXT), tokenizer.encode(TEXT))


@pytest.mark.usefixtures("directory")
def test_bench_measures_three_walks(capsys: pytest.CaptureFixture[str]) -> None:
    run("bench", "text.txt", "-t", "t.json", "--repeats", "1", "--threads", "1")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["encode", "count", "decode"]


@pytest.mark.usefixtures("directory")
def test_doctor_finds_this_installation_well(capsys: pytest.CaptureFixture[str]) -> None:
    run("doctor")
    run("doctor", "-t", "t.json")
    out = capsys.readouterr().out
    assert f"tokmill {tokmill.__version__}" in out
    assert "FAILED" not in out


@pytest.mark.usefixtures("directory")
@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_stays_a_link() -> None:
    Path("real.bin").write_bytes(b"old")
    Path("link.bin").symlink_to("real.bin")
    run("encode", "text.txt", "-t", "t.json", "--out", "link.bin")
    assert Path("link.bin").is_symlink()
    assert Path("real.bin").read_bytes() != b"old"


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("has_tqdm", [True, False])
@pytest.mark.parametrize("command", [["encode", "--out", "ids.bin"], ["count"]])
def test_progress_is_shown_on_a_terminal(command: list[str], has_tqdm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    run(command[0], "text.txt", "-t", "t.json", *command[1:])
    assert f"\r{command[0]}: " in terminal.getvalue()
    assert "100%" in terminal.getvalue()


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "bad.jsonl:2: not JSON"),
        ("[" * 100_000, "bad.jsonl:2: not JSON"),
        ("[1]", "bad.jsonl:2: no field 'text'"),
        ('{"other": "x"}', "bad.jsonl:2: no field 'text'"),
        ('{"text": 5}', "bad.jsonl:2: field 'text': int, not text"),
        ('{"text": null}', "bad.jsonl:2: field 'text': null, not text"),
        ('{"text": "\\ud800"}', "bad.jsonl:2: field 'text': lone surrogate at character 0"),
    ],
)
def test_a_bad_line_leaves_the_old_file(line: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.jsonl").write_text('{"text": "good"}\n' + line + "\n", encoding="utf-8")
    Path("ids.bin").write_bytes(b"old")
    before = names()
    message = failure(capsys, "encode", "bad.jsonl", "-t", "t.json", "--field", "text", "--out", "ids.bin")
    assert expected in message
    assert Path("ids.bin").read_bytes() == b"old"
    assert names() == before


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["encode", "absent.txt", "-t", "t.json"], "absent.txt: No such file"),
        (["encode", "text.txt", "-t", "absent.json"], "absent.json"),
        (["encode", "text.txt", "-t", "text.txt"], "text.txt"),
        (["encode", "lines.jsonl", "-t", "t.json"], "name of the field"),
        (["encode", "text.txt", "-t", "t.json", "--out", "ids.dat"], ".bin or .npy"),
        (["encode", "text.txt", "-t", "t.json", "--out", "absent/ids.bin"], "No such file"),
        (["encode", "text.txt", "-t", "t.json", "--end-token", "<absent>"], "'<absent>' is not in the vocabulary"),
        (["encode", "cut.txt.gz", "-t", "t.json", "--out", "ids.bin"], "cut.txt.gz: damaged gzip"),
        (["decode", "odd.bin", "-t", "t.json"], "odd.bin: 3 bytes are not a whole number of uint16 ids"),
        (["decode", "words.txt", "-t", "t.json"], "words.txt:1: "),
        (["decode", "large.txt", "-t", "t.json"], "999999"),
        (["decode", "floats.npy", "-t", "t.json"], "float64"),
        (["train", "text.txt", "--out", "new.json", "--pattern", "("], "("),
        (["train", "text.txt", "--out", "absent/new.json"], "absent"),
        (
            ["train", "text.txt", "--out", "new.json", "--model", "unigram", "--pattern", "gpt2"],
            "--pattern is no option",
        ),
        (["train", "text.txt", "--out", "new.json", "--split-digits"], "--split-digits is no option"),
    ],
)
def test_errors_are_one_line(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.bin").write_bytes(b"abc")
    Path("words.txt").write_text("one two\n", encoding="utf-8")
    Path("large.txt").write_text("1 999999\n", encoding="utf-8")
    Path("cut.txt.gz").write_bytes(gzip.compress(os.urandom(1000))[:-20])
    np.save("floats.npy", np.zeros(3))
    assert expected in failure(capsys, *arguments)
    assert not Path("ids.bin").exists()


def test_wrong_usage_is_status_two() -> None:
    for arguments in (["encode"], ["unknown"], ["train", "x", "--out", "y", "--vocab-size", "-1"], []):
        assert program(*arguments).returncode == 2


@pytest.mark.usefixtures("directory")
def test_a_reader_that_leaves_early_is_no_accident() -> None:
    Path("long.txt").write_bytes(b"word\n" * 200_000)
    command = [sys.executable, "-m", "tokmill", "encode", "long.txt", "-t", "t.json", "--unit", "line"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.usefixtures("directory")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_encode_leaves_nothing(number: signal.Signals, status: int) -> None:
    before = names()
    command = [sys.executable, "-m", "tokmill", "encode", "-", "-t", "t.json", "--unit", "line", "--out", "ids.bin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        # The partial file is there once the command has begun to read.
        while names() == before and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(timeout=30) == status
    assert names() == before
