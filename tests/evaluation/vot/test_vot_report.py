"""report.json and the tables of VOT."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from vossegment.evaluation.report import Speed
from vossegment.evaluation.vot.measures import BEGUN, FAILED, SKIPPED, Row, VotRun, VotScores
from vossegment.evaluation.vot.report import (
    VotReport,
    report_json,
    representation_table,
    scores_table,
    table_json,
)
from vossegment.evaluation.vot.toolkit import ToolkitScores

ONE = VotRun("[one]", (BEGUN, *[None] * 14), (0.0, *[0.75] * 14))
TWO = VotRun("two", (BEGUN, None, FAILED, SKIPPED), (0.0, 0.5, 0.0, 0.0))
SCORES = VotScores((ONE, TWO), (2, 4))
TOOLKIT = ToolkitScores("0.7.4", 0.74, 0.25, None, Path("results"))


def text(table: Table) -> str:
    stream = io.StringIO()
    Console(width=100, file=stream).print(table)
    return stream.getvalue()


def test_report() -> None:
    """What is written, unrounded, null where nothing counts; no number that JSON does not know."""
    report = VotReport("vot2018", SCORES, model={"name": "e3sn"}, speed=Speed("cpu", 1, 20.0, 30.0), toolkit=TOOLKIT)
    content = report_json(report)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    whole = content["global"]
    assert (whole["A"], whole["R"]) == (0.75, 100 / 19)
    assert content["counts"] == {"frames": 19, "failures": 1, "mean_failures": 0.5}
    assert whole["EAO"] == pytest.approx(((0.75 + 0.5) / 2 + (0.75 + 0.25) / 2 + (0.75 + 0.5 / 3) / 2) / 3)
    curve = content["expected_overlaps"]
    assert (len(curve["curve"]), curve["interval"]) == (15, [2, 4])
    assert content["sequences"]["two"] == {
        "A": None,
        "R": 25.0,
        "failures": 1,
        "frames": 4,
        "overlaps": [None, 0.5, None, None],
        "codes": [1, None, 2, 0],
    }
    assert content["speed"]["network_fps"] == 30.0
    assert content["toolkit"] == {"version": "0.7.4", "EAO": None, "A": 0.74, "R": 0.25}


def test_results_of_any_program() -> None:
    """No model, no speed, no toolkit."""
    content = report_json(VotReport("vot2016", SCORES, results="there"))
    assert (content["model"], content["speed"], content["toolkit"], content["results"]) == (None, None, None, "there")


def test_table() -> None:
    """A row a sequence, its name as it is, then the whole, then the toolkit's own numbers."""
    shown = text(scores_table(VotReport("vot2018", SCORES, toolkit=TOOLKIT)))
    assert "[one]" in shown
    assert "0.750" in shown
    rows = [line for line in shown.splitlines() if "two" in line or "toolkit" in line]
    assert [cell.strip() for cell in rows[0].strip("│ ").split("│")] == ["two", "4", "1", "-", "25.000"]
    assert [cell.strip() for cell in rows[1].strip("│ ").split("│")] == [
        "vot-toolkit 0.7.4",
        "",
        "0.25",
        "0.740",
        "",
        "-",
    ]


def test_rows() -> None:
    """In percent on the terminal, decimals in the file; strictly above."""
    row = Row.of("mbr", [0.5, 0.7, 0.9, 0.1])
    assert row == Row("mbr", pytest.approx(0.55), 0.5, 0.25)
    content = table_json("vot2016", [row, Row.of("none", [])], {"name": "e3sn"}, 3)
    assert content["rows"]["mbr"] == {"mIoU": pytest.approx(0.55), "above_0.5": 0.5, "above_0.7": 0.25}
    assert content["rows"]["none"]["mIoU"] is None
    assert (content["benchmark"], content["seed"]) == ("vot2016-representation", 3)
    assert math.isnan(Row.of("none", []).mean)
    assert "55.00" in text(representation_table("vot2016", [row]))
