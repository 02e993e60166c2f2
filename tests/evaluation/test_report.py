"""report.json, the official CSV files and the table."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from vossegment.errors import OutputError
from vossegment.evaluation.benchmarks import BENCHMARKS, Scores
from vossegment.evaluation.measures import statistics
from vossegment.evaluation.report import (
    Report,
    Speed,
    global_csv,
    report_json,
    scores_table,
    sequence_csv,
    write_report,
)
from vossegment.evaluation.scores import Measured, ObjectScores, SequenceScores


def measured(*values: float) -> Measured:
    return Measured(values, statistics(values))


SCORES = Scores(
    BENCHMARKS["davis2017"],
    (
        SequenceScores(
            "dog",
            (
                ObjectScores(1, measured(1.0, 0.75), measured(0.5, 0.25), (1, 2)),
                ObjectScores(2, measured(0.0, 0.0), measured(1.0, 1.0), (1, 2), "unseen"),
            ),
        ),
        SequenceScores("[red]cat", (ObjectScores(1, measured(1 / 3, 1 / 3), measured(0.625, 0.625)),)),
    ),
)
STILL = Scores(BENCHMARKS["davis2017"], (SequenceScores("dog", (ObjectScores(1, measured(0.25), measured(0.125)),)),))


def test_json() -> None:
    """Every field by name, unrounded."""
    report = Report(
        SCORES,
        model={"name": "e3sn", "weights": "w"},
        speed=Speed("cpu", 2, 20.5, 40.25),
        baselines={"static_box": STILL},
        settings={"split": "val"},
        notes=("a note",),
    )
    found = json.loads(json.dumps(report_json(report)))
    third = 1 / 3
    assert found.pop("global") == {
        "J": {"mean": (0.875 + third) / 3, "recall": third, "decay": 0.25 / 3},
        "F": {"mean": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3), "decay": 0.25 / 3},
        "J&F": pytest.approx((0.875 + third + 2) / 6),
    }
    assert found.pop("sequences") == {
        "dog": {
            "J": {"mean": 0.4375, "recall": 0.5, "decay": 0.125},
            "F": {"mean": 0.6875, "recall": 0.5, "decay": 0.125},
            "objects": {
                "1": {
                    "indices": [1, 2],
                    "J": {"mean": 0.875, "recall": 1.0, "decay": 0.25, "frames": [1.0, 0.75]},
                    "F": {"mean": 0.375, "recall": 0.0, "decay": 0.25, "frames": [0.5, 0.25]},
                },
                "2": {
                    "group": "unseen",
                    "indices": [1, 2],
                    "J": {"mean": 0.0, "recall": 0.0, "decay": 0.0, "frames": [0.0, 0.0]},
                    "F": {"mean": 1.0, "recall": 1.0, "decay": 0.0, "frames": [1.0, 1.0]},
                },
            },
        },
        "[red]cat": {
            "J": {"mean": third, "recall": 0.0, "decay": 0.0},
            "F": {"mean": 0.625, "recall": 1.0, "decay": 0.0},
            "objects": {
                "1": {
                    "indices": [],
                    "J": {"mean": third, "recall": 0.0, "decay": 0.0, "frames": [third, third]},
                    "F": {"mean": 0.625, "recall": 1.0, "decay": 0.0, "frames": [0.625, 0.625]},
                }
            },
        },
    }
    assert found == {
        "schema": 1,
        "benchmark": "davis2017",
        "rule": "every object of frame 0 for itself; first and last frame left out",
        "model": {"name": "e3sn", "weights": "w"},
        "results": None,
        "settings": {"split": "val"},
        "notes": ["a note"],
        "summary": {},
        "speed": {"device": "cpu", "threads": 2, "network_fps": 40.25, "end_to_end_fps": 20.5},
        "baselines": {
            "static_box": {
                "J": {"mean": 0.25, "recall": 0.0, "decay": 0.0},
                "F": {"mean": 0.125, "recall": 0.0, "decay": 0.0},
                "J&F": 0.1875,
                "sequences": {
                    "dog": {
                        "J": {"mean": 0.25, "recall": 0.0, "decay": 0.0},
                        "F": {"mean": 0.125, "recall": 0.0, "decay": 0.0},
                    }
                },
            }
        },
    }


def test_json_of_results() -> None:
    """Masks that another program wrote: no model, no speed; the order of the keys is fixed."""
    found = report_json(Report(SCORES, results="masks"))
    assert (found["model"], found["results"], found["speed"], found["baselines"]) == (None, "masks", None, {})
    assert list(found) == [
        "schema", "benchmark", "rule", "model", "results", "settings", "notes", "global", "summary", "sequences",
        "speed", "baselines",
    ]  # fmt: skip
    assert BENCHMARKS["davis2016"].rule == "objects merged; first and last frame left out"


def test_csv() -> None:
    """The official layout, 3 decimals."""
    assert global_csv(SCORES) == (
        "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay\n0.535,0.403,0.333,0.083,0.667,0.667,0.083\n"
    )
    assert sequence_csv(SCORES) == (
        "Sequence,J-Mean,F-Mean\ndog_1,0.875,0.375\ndog_2,0.000,1.000\n[red]cat_1,0.333,0.625\n"
    )


def test_files(tmp_path: Path) -> None:
    """Four whole files and nothing else; older ones are replaced."""
    folder = tmp_path / "new" / "report"
    for _ in range(2):
        written = write_report(Report(SCORES), folder, "val")
        assert [path.name for path in written] == [
            "report.json", "report.html", "global_results-val.csv", "per-sequence_results-val.csv"
        ]  # fmt: skip
        assert sorted(folder.iterdir()) == sorted(written)
    assert json.loads(written[0].read_text(encoding="utf-8")) == report_json(Report(SCORES))
    assert written[2].read_text() == global_csv(SCORES)
    assert written[3].read_text() == sequence_csv(SCORES)


def test_files_where_none_can_be(tmp_path: Path) -> None:
    """A file in the folder's place."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(Report(SCORES), tmp_path / "taken", "val")


def test_table() -> None:
    """Percent with one decimal: sequences, the whole, the baselines."""
    text = io.StringIO()
    Console(file=text, width=120).print(scores_table(Report(SCORES, baselines={"static_box": STILL})))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.getvalue().splitlines() if "│" in line]
    assert rows == [
        ["dog", "56.2", "43.8", "50.0", "12.5", "68.8", "50.0", "12.5"],
        ["[red]cat", "47.9", "33.3", "0.0", "0.0", "62.5", "100.0", "0.0"],
        ["global", "53.5", "40.3", "33.3", "8.3", "66.7", "66.7", "8.3"],
        ["static_box", "18.8", "25.0", "0.0", "0.0", "12.5", "0.0", "0.0"],
    ]


def test_no_negative_zero() -> None:
    """A tiny negative decay is 0.0."""
    tiny = measured(0.5, 0.5001)
    scores = Scores(BENCHMARKS["davis2016"], (SequenceScores("a", (ObjectScores(1, tiny, tiny),)),))
    assert scores.region.decay < 0
    text = io.StringIO()
    Console(file=text, width=120).print(scores_table(Report(scores)))
    assert "-0.0" not in text.getvalue()
