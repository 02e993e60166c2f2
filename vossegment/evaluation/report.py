"""A benchmark's result as people and programs read it: report.json, the official CSV files, a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as ListOf
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from vossegment.evaluation.benchmarks import Scores
from vossegment.evaluation.measures import Statistics
from vossegment.evaluation.page import Moment, page_html
from vossegment.evaluation.report_file import NAME, SCHEMA, as_text, write_files
from vossegment.evaluation.scores import Measured, ObjectScores, SequenceScores


@dataclass(frozen=True)
class Speed:
    """Frames a second of a run: the network alone where it was measured, and from decoding to mask."""

    device: str
    threads: int
    end_to_end_fps: float
    network_fps: float | None = None

    def told(self, unit: str) -> str:
        """In a line; ``unit`` is what each frame ends in."""
        network = "" if self.network_fps is None else f"{self.network_fps:.1f} frames/s in crops and network, "
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"{network}{self.end_to_end_fps:.1f} from decoding to {unit} ({self.device}, {threads})"


@dataclass(frozen=True)
class Report:
    """Everything that a report says. ``model`` is None where masks were scored that lay in ``results``."""

    scores: Scores
    model: Mapping[str, Any] | None = None
    results: str | None = None
    speed: Speed | None = None
    baselines: Mapping[str, Scores] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def report_json(report: Report) -> dict[str, Any]:
    """The content of ``report.json``: decimals from 0 to 1, unrounded."""
    scores, speed = report.scores, report.speed
    return {
        "schema": SCHEMA,
        "benchmark": scores.benchmark.name,
        "rule": scores.benchmark.rule,
        "model": None if report.model is None else dict(report.model),
        "results": report.results,
        "settings": dict(report.settings),
        "notes": list(report.notes),
        "global": _summary(scores),
        "summary": dict(scores.summary),
        "sequences": {part.name: _sequence(part) for part in scores.sequences},
        "speed": None
        if speed is None
        else {
            "device": speed.device,
            "threads": speed.threads,
            "network_fps": speed.network_fps,
            "end_to_end_fps": speed.end_to_end_fps,
        },
        "baselines": {name: _baseline(baseline) for name, baseline in report.baselines.items()},
    }


def write_report(report: Report, folder: Path, split: str, moments: ListOf[Moment] = ()) -> tuple[Path, ...]:
    """Writes report.json, report.html, which shows the ``moments``, and the two CSV files, named after ``split``, and
    gives their paths.

    Raises OutputError where the folder cannot be written.
    """
    content = report_json(report)
    files = {
        NAME: as_text(content),
        "report.html": page_html(content, moments),
        f"global_results-{split}.csv": global_csv(report.scores),
        f"per-sequence_results-{split}.csv": sequence_csv(report.scores),
    }
    return write_files(folder, files)


def global_csv(scores: Scores) -> str:
    """``global_results-<split>.csv`` in the layout of davis2017-evaluation, 3 decimals."""
    head = ["J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay"]
    values = [_both(scores), *_values(scores.region), *_values(scores.contour)]
    return _csv([head, [f"{value:.3f}" for value in values]])


def sequence_csv(scores: Scores) -> str:
    """``per-sequence_results-<split>.csv`` as davis2017-evaluation has it: a row an object, 3 decimals."""
    rows = [["Sequence", "J-Mean", "F-Mean"]]
    for part in scores.sequences:
        for item in part.objects:
            means = (item.region.statistics.mean, item.contour.statistics.mean)
            rows.append([f"{part.name}_{item.id}", *(f"{mean:.3f}" for mean in means)])
    return _csv(rows)


def scores_table(report: Report) -> Table:
    """The report for a terminal, in percent: a row a sequence, then the whole, then the baselines."""
    table = Table(title=f"{report.scores.benchmark.name}: {report.scores.benchmark.rule}")
    table.add_column("sequence", no_wrap=True)
    for head in ("J&F", "J mean", "J recall", "J decay", "F mean", "F recall", "F decay"):
        table.add_column(head, justify="right", no_wrap=True)
    for part in report.scores.sequences:
        table.add_row(*_cells(part.name, part))
    table.add_section()
    table.add_row(*_cells("global", report.scores), style="bold")
    for name, value in report.scores.summary.items():
        table.add_row(name, "", f"{100 * value:.1f}")
    table.add_section()
    for name, baseline in report.baselines.items():
        table.add_row(*_cells(name, baseline))
    return table


def _cells(name: str, part: Scores | SequenceScores) -> list[Text]:
    values = [_both(part), *_values(part.region), *_values(part.contour)]
    # Text, as a name in brackets would be taken for markup; + 0.0 makes -0.0 a plain 0.0.
    return [Text(name), *(Text(f"{round(100 * value, 1) + 0.0:.1f}") for value in values)]


def _summary(part: Scores | SequenceScores) -> dict[str, Any]:
    return {"J": _fields(part.region), "F": _fields(part.contour), "J&F": _both(part)}


def _baseline(scores: Scores) -> dict[str, Any]:
    sequences = {part.name: {"J": _fields(part.region), "F": _fields(part.contour)} for part in scores.sequences}
    return {**_summary(scores), "sequences": sequences}


def _sequence(part: SequenceScores) -> dict[str, Any]:
    objects = {str(item.id): _object(item) for item in part.objects}
    return {"J": _fields(part.region), "F": _fields(part.contour), "objects": objects}


def _object(item: ObjectScores) -> dict[str, Any]:
    group = {"group": item.group} if item.group else {}
    return {**group, "indices": list(item.indices), "J": _measured(item.region), "F": _measured(item.contour)}


def _measured(measured: Measured) -> dict[str, Any]:
    return {**_fields(measured.statistics), "frames": list(measured.frames)}


def _fields(values: Statistics) -> dict[str, float]:
    return {"mean": values.mean, "recall": values.recall, "decay": values.decay}


def _values(values: Statistics) -> tuple[float, float, float]:
    return values.mean, values.recall, values.decay


def _both(part: Scores | SequenceScores) -> float:
    return (part.region.mean + part.contour.mean) / 2


def _csv(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
