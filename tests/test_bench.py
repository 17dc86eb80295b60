"""The benchmark's own correctness: cases that hold, peers that are judged by their ids, ratios of exact peers only."""

from __future__ import annotations

import csv
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import tokmill
from bench.cases import DATA, PREFIX_BYTES, Case, load_cases, load_table
from bench.corpora import plain
from bench.harness import jobs, reference, report
from bench.harness.compare import inputs
from bench.harness.jobs import Job, Outcome
from bench.harness.results import EXACT, WRONG, Sample, ratios, read_csv, renewed, summarize, write_csv
from bench.peers import PEERS
from bench.peers.interface import Refused
from bench.vocabularies import Vocabulary, prepare

CASES = load_cases()


def sample(peer: str, status: str = EXACT, *, warm: float = 0.5, cold: float = 1.0, size: int = 10_000_000) -> Sample:
    return Sample("document", "vocabulary", "text", peer, status, size, 0.1, cold, warm)


def test_every_case_is_measured_in_every_way(data: Path) -> None:
    every = [(case, kind) for case in CASES if case.present for kind in (*case.kinds, *case.full_kinds)]
    assert [(case, job.kind) for job, case in inputs(full=True)] == every
    quick = [(case, kind) for case in CASES if case.present and case.quick for kind in case.kinds]
    assert [(case, job.kind) for job, case in inputs(full=False)] == quick


def test_cases_name_one_vocabulary_form_each() -> None:
    files = [row["file"] for row in load_table()["vocabulary"]]
    assert len(files) == len(set(files))
    assert set(files) <= {case.vocabulary for case in CASES}
    assert len({str(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_tokmill_finds_the_owners_number_of_tokens(case: Case) -> None:
    if not case.present:
        pytest.skip(f"{case} is not in {DATA}")
    tokenizer = tokmill.Tokenizer.from_file(DATA / case.vocabulary, pattern=case.pattern)
    assert len(tokenizer.encode(case.document(PREFIX_BYTES))) == case.tokens


def test_every_peer_has_an_adapter_and_a_pin() -> None:
    directory = Path(jobs.ROOT, "bench", "peers")
    pins = {
        environment: (directory / f"requirements-{environment}.txt").read_text(encoding="utf-8")
        for environment in ("stable", "next")
    }
    for peer in PEERS.values():
        assert (directory / f"{peer.module}.py").exists()
        assert peer.environment == "own" or f"\n{peer.distribution}==" in pins[peer.environment]


def test_a_worker_measures_and_a_wrong_peer_is_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = next((case for case in CASES if case.present and case.pattern), None)
    if case is None:
        pytest.skip(f"no case is in {DATA}")
    monkeypatch.setattr(reference, "KEPT", tmp_path / "reference.json")
    monkeypatch.setenv("BENCH_STABLE", sys.executable)
    job = Job("tokmill", prepare(case), str(DATA / case.text), limit=20_000, warm=1)
    right = reference.right_answer(job)
    outcome = jobs.run(job)
    assert reference.verdict(outcome, right) == EXACT
    assert outcome.cold > 0
    # The same number of tokens is not enough: the digest tells.
    assert reference.verdict(replace(outcome, digest="0" * 64), right) == WRONG
    # A peer that really encodes something else, here with another pattern.
    other = jobs.run(replace(job, vocabulary=replace(job.vocabulary, pattern="gpt2")))
    assert reference.verdict(other, right) == WRONG


def test_a_refusal_says_why() -> None:
    assert reference.verdict(Outcome(refused="no such file"), Outcome(tokens=1, digest="x")) == "no such file"


def test_wrong_peers_are_never_the_fastest() -> None:
    results = summarize([sample("tokmill"), sample("wrong", WRONG, warm=0.001), sample("slow", warm=1.0)])
    warm, cold = ratios(results)
    assert (warm.peer, warm.factor) == ("slow", pytest.approx(2.0))
    assert cold.peer == "slow"
    assert f"**{WRONG}**" in report.speed_table(results, "document")


def test_one_wrong_process_makes_a_peer_wrong() -> None:
    (result,) = summarize([sample("peer"), sample("peer", WRONG), sample("peer")])
    assert result.status == WRONG


def test_medians_are_of_the_largest_input() -> None:
    samples = [sample("peer", size=1_000_000, warm=9.0), *(sample("peer", warm=warm) for warm in (1.0, 3.0, 2.0))]
    (result,) = summarize(samples)
    assert (result.samples, result.warm, result.size) == (3, 2.0, 10_000_000)


def test_csv_holds_every_sample(tmp_path: Path) -> None:
    samples = [sample("peer"), sample("other", 'it reads JSON only, and: "that"', warm=0.0)]
    write_csv(tmp_path / "samples.csv", samples)
    with (tmp_path / "samples.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["peer"], row["status"], float(row["warm"])) for row in rows] == [
        (one.peer, one.status, one.warm) for one in samples
    ]


def test_inputs_that_are_measured_again_replace_those_of_the_record(tmp_path: Path) -> None:
    other = replace(sample("peer"), text="other text")
    write_csv(tmp_path / "samples.csv", [other, sample("peer"), sample("slow peer")])
    earlier = read_csv(tmp_path / "samples.csv", Sample)
    assert renewed(earlier, [sample("peer", warm=0.25)]) == [other, sample("peer", warm=0.25)]
    assert renewed(earlier, []) == earlier


def test_the_readme_has_the_speeds_of_its_record() -> None:
    readme = Path(jobs.ROOT, "README.md").read_text(encoding="utf-8")
    (record,) = set(re.findall(r"bench/record/[^/)]+", readme))
    results = summarize(read_csv(Path(jobs.ROOT, record, "samples.csv"), Sample))
    table = readme.partition("| MB/s, later calls (first call) |")[2].partition("\n\n")[0].splitlines()[2:]
    versions = dict(
        re.findall(r"\| (\w+) version \| (\S+) \|", Path(jobs.ROOT, record, "summary.md").read_text("utf-8"))
    )
    for row in table:
        name, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        (peer,) = (
            peer for peer, version in versions.items() if name in (peer, f"{peer.removesuffix('_next')} {version}")
        )
        chosen = [r for r in results if (r.kind, r.vocabulary, r.peer) == ("document", "cl100k_base", peer)]
        assert len(cells) == len(chosen) == 3
        for cell, result in zip(cells, chosen, strict=True):
            warm, cold = map(float, re.fullmatch(r"(\S+) \((\S+)\)", cell).groups())
            assert (result.status, warm) == (EXACT, pytest.approx(result.warm_speed, abs=0.5))
            assert cold == pytest.approx(result.cold_speed, abs=0.5)


def test_the_overview_has_a_cell_for_each_text_that_was_compared() -> None:
    samples = [sample("tokmill", warm=0.5, cold=1.0), sample("peer", warm=1.0, cold=3.0)]
    alone = replace(sample("tokmill"), text="alone")
    assert report.overview(summarize([*samples, alone])).splitlines()[-1] == "| vocabulary | document | 2.00, 3.00 |"
    assert report.overview(summarize([alone])) == ""


def test_a_vocabulary_as_json_alone_is_owned_by_tokenizers() -> None:
    whole = Vocabulary("name", "x.tiktoken", "tiktoken", pattern="cl100k_base", json="x.json", tiktoken="x.tiktoken")
    assert whole.only_json() == Vocabulary("name", "x.json", "tokenizers", json="x.json")
    with pytest.raises(Refused):
        whole.only_tiktoken().require_json()


def test_markup_is_stripped() -> None:
    page = "<html><head><title>x</title></head><body><p>a &lt; b</p><script>no()</script><p>c<br>d</p></body></html>"
    assert plain.from_html(page) == "a < b\n\nc\nd\n\n"
    assert plain.from_manual('.\\" note\n.SH NAME\n\\fBls\\fR \\- list\n.PP\nmore') == "NAME\nls - list\n\nmore\n\n"


def test_lines_are_chosen_by_script() -> None:
    assert plain.in_script("привет, мир\nhello\nсеть: TCP/IP and many more words", "cyrillic") == "привет, мир\n"
    assert plain.in_script("über\nover", "latin") == "über\n"
