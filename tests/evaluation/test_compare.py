"""Runs side by side, the papers' rows, and files that are no report."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from vossegment.errors import DataError, InputError, VossegmentError
from vossegment.evaluation.compare import (
    COLUMNS,
    PUBLISHED,
    comparison,
    comparison_json,
    comparison_table,
    in_percent,
    published,
    published_over,
    read_report,
    sequence_table,
)

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "davis_metrics" / "published_davis2016.json"


def report(benchmark: str = "davis2016", start: str | None = None, **sequences: float) -> dict[str, Any]:
    """A report whose sequences have the given J, and an F of one half."""
    mean = sum(sequences.values()) / max(len(sequences), 1)
    measures = [{"mean": value, "recall": 1.0, "decay": -0.0001} for value in (mean, 0.5)]
    return {
        "schema": 1,
        "benchmark": benchmark,
        "model": start and {"name": "guided", "start": start},
        "global": {"J": measures[0], "F": measures[1], "J&F": (mean + 0.5) / 2},
        "sequences": {name: {"J": {"mean": value}, "F": {"mean": 0.5}} for name, value in sequences.items()},
    }


def rows(table: Table) -> list[list[str]]:
    text = io.StringIO()
    Console(file=text, width=200).print(table)
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.getvalue().splitlines() if "│" in line]


def bold(table: Table) -> list[str]:
    """The table's numbers that stand out."""
    text = io.StringIO()
    Console(file=text, width=200, force_terminal=True, color_system="truecolor").print(table)
    return re.findall(r"\x1b\[1m *(\d+\.\d+)", text.getvalue())


def test_every_published_row_has_a_source_and_known_columns() -> None:
    """published.json: decimals under the columns' names, a source for each row, best first."""
    content = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert set(content) == set(COLUMNS)
    for benchmark in COLUMNS:
        names = [column.name for column in COLUMNS[benchmark]]
        found = published(benchmark)
        assert found
        for row in found:
            assert row.source
            assert row.start in {"box", "mask", "none", "truth"}
            assert set(row.scores) <= set(names)
            assert all(-0.1 < value < 1 for value in row.scores.values())
        first = [row.scores[names[0]] for row in found]
        assert first == sorted(first, reverse=not COLUMNS[benchmark][0].lower_is_better)
    assert published("mine") == []


@pytest.mark.skipif(not REFERENCE.is_file(), reason=f"no published numbers in {REFERENCE}")
def test_published_davis2016_is_the_reference() -> None:
    """Every method of the reference is there with its numbers, as stored."""
    reference = json.loads(REFERENCE.read_text())["methods"]
    ours = {
        (row.scores["J mean"], row.scores.get("J recall"), row.scores.get("F decay")) for row in published("davis2016")
    }
    for name, method in reference.items():
        mean = method["mean"]
        assert (mean["J_mean"], mean["J_recall"], mean["F_decay"]) in ours, name


def test_published_by_sequence() -> None:
    """Over all sequences, the papers' numbers one by one give their means; over some, those of these."""
    content = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    for benchmark, methods in (("davis2016", 6), ("davis2017", 1)):
        whole = {row.name: row.scores for row in published(benchmark)}
        every = next(row["sequences"] for row in content[benchmark]["rows"] if "sequences" in row)
        assert len(every) == content[benchmark]["sequences"]
        found = published_over(benchmark, every)
        assert len(found) == methods
        for row in found:
            assert row.scores == pytest.approx(whole[row.name], abs=1e-5)
    best = published_over("davis2016", ["dog"])[0]
    assert (best.name, best.scores["J mean"], best.scores["F decay"]) == ("RGMP", 0.95519, 0.04745)
    assert published_over("davis2016", ["dog", "mine"]) == published_over("davis2016", []) == []
    assert published_over("vot2018", ["bag"]) == []


def test_papers_over_the_same_sequences() -> None:
    """A part of the benchmark stands beside the papers on that part."""
    part = comparison([report(dog=0.75, libby=0.5), report(dog=0.5)], ["a", "b"])
    assert [row.scores for row in part.same] == [row.scores for row in published_over("davis2016", ["dog"])]
    assert part.caption == "runs over 1 and 2 sequences, papers over all 20 of the benchmark"
    found = rows(comparison_table(part))
    assert ["RGMP, on the same 1", "mask", "95.9", "95.5", "100.0", "0.0", "96.2", "100.0", "4.7"] in found
    names = next(
        row["sequences"] for row in json.loads(PUBLISHED.read_text())["davis2016"]["rows"] if "sequences" in row
    )
    assert comparison([report(**dict.fromkeys(names, 0.5))], ["a"]).same == (), "all of it: nothing to add"


def test_recall_is_the_recomputed_one() -> None:
    """RGMP's files count scores above 0, not above 0.5; the row says so."""
    for benchmark, recalls in (("davis2016", (0.917, 0.908)), ("davis2017", (0.741, 0.777))):
        [row] = [row for row in published(benchmark) if row.name == "RGMP"]
        assert (round(row.scores["J recall"], 3), round(row.scores["F recall"], 3)) == recalls
        assert row.note is not None
        assert "recomputed" in row.note


def test_runs_then_papers() -> None:
    """Percent with one decimal, a dash for what is not known, who covers what in the caption."""
    both = comparison([report(dog=0.75, cat=0.25, start="box"), report(dog=0.5, cat=0.75)], ["[red]a", "b"])
    table = comparison_table(both)
    found = rows(table)
    assert found[:2] == [
        ["[red]a", "box", "50.0", "50.0", "100.0", "0.0", "50.0", "100.0", "0.0"],
        ["b", "", "56.2", "62.5", "100.0", "0.0", "50.0", "100.0", "0.0"],
    ]
    assert ["SAVOS", "mask", "79.9", "80.3", "-", "-", "79.5", "-", "-"] in found
    told = [row.name for row in published("davis2016") if row.start != "none"]
    assert [row[0] for row in found[2:]] == told
    assert table.caption == "runs over 2 sequences, papers over all 20 of the benchmark"
    assert "62.5" in bold(table)
    assert "50.0" in bold(table), "equal numbers are all best"


def test_by_sequence() -> None:
    """The best is bold, a sequence that not all have is marked, and so is what is not a number."""
    parts = comparison([report(dog=0.75, cat=0.25), report(cat=0.5, cow=math.nan)], ["a", "b"])
    assert parts.sequences == {"dog": (0.75, None), "cat": (0.25, 0.5), "cow": (None, None)}
    table = sequence_table(parts)
    assert rows(table) == [["dog *", "75.0", "-"], ["cat", "25.0", "50.0"], ["cow *", "-", "-"]]
    assert table.caption == "* not scored in every run"
    assert bold(table) == ["50.0"], "75.0 has nothing to be better than"
    assert comparison([report(a=0.5), report(b=0.5, c=0.5)], ["x", "y"]).caption.startswith("runs over 1 and 2 seq")
    assert comparison([report(a=0.5)], ["x"]).caption == "run over 1 sequence, papers over all 20 of the benchmark"


def test_other_benchmarks() -> None:
    """Numbers of the summary, of VOT, and of a benchmark that no paper knows."""
    youtube = {**report("youtubevos", v=0.5), "summary": {"O": 0.5, "J_S": 0.25}}
    assert rows(comparison_table(comparison([youtube], ["a"]))) == [
        ["a", "", "50.0", "25.0", "-", "-", "-"],
        ["SiamMask", "box", "52.8", "60.2", "45.1", "58.2", "47.7"],
    ]
    vot = {**report("vot2018", bag=0.5), "global": {"EAO": 0.4, "A": 0.625, "R": 0.25, "failures": 3}}
    found = rows(comparison_table(comparison([vot], ["a"])))
    assert found[0] == ["a", "", "0.400", "0.625", "0.250"]
    assert ["SiamMask", "box", "0.380", "0.609", "0.276"] in found
    assert not in_percent("vot2016")
    mine = comparison([report("mine", a=0.5)], ["a"])
    assert (mine.papers, mine.caption) == ((), "run over 1 sequence")


def test_plain_data() -> None:
    """Everything goes through JSON."""
    data = comparison_json(comparison([report(dog=0.75, start="mask"), report(cat=0.5)], ["a", "b"]))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["runs"][0]["start"] == "mask"
    assert data["sequences"] == {"dog": [0.75, None], "cat": [None, 0.5]}


def test_another_benchmark_is_refused_by_name() -> None:
    """Scores of different rules are not set side by side."""
    with pytest.raises(InputError, match=r"b\.json: a report of davis2017, but a\.json is one of davis2016"):
        comparison([report(a=0.5), report("davis2017", a=0.5)], ["a.json", "b.json"])
    with pytest.raises(InputError, match="no report"):
        comparison([], [])


def test_reads_a_report(tmp_path: Path) -> None:
    """What was written comes back."""
    (tmp_path / "report.json").write_text(json.dumps(report(dog=0.5)))
    assert read_report(tmp_path / "report.json") == report(dog=0.5)


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (None, InputError, "cannot be read"),
        (b"", InputError, "no valid JSON"),
        (b"\xff\xfe", InputError, "no valid JSON"),
        (b"[" * 100_000, InputError, "no valid JSON"),
        (b"[]", InputError, "not a report.json"),
        (b'{"benchmark": "davis2016"}', InputError, "not a report.json"),
        (b'{"schema": 9, "benchmark": "davis2016"}', InputError, "schema 9; this version reads 1"),
        (b'{"schema": 1, "benchmark": "davis2016", "sequences": {}}', DataError, "'global' is missing"),
        (
            b'{"schema": 1, "benchmark": "davis2016", "global": {}, "sequences": []}',
            DataError,
            "'sequences' is missing",
        ),
        (b'{"schema": 1, "benchmark": "a", "global": {}, "sequences": {"dog": 1}}', DataError, "sequence 'dog'"),
    ],
)
def test_no_report(tmp_path: Path, content: bytes | None, error: type[VossegmentError], says: str) -> None:
    """The file is named, whatever is wrong with it."""
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=says) as caught:
        read_report(path)
    assert str(caught.value).startswith(str(path))
