"""Several runs of one benchmark side by side, with what the papers report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as ListOf
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table
from rich.text import Text

from vossegment.errors import DataError, InputError
from vossegment.evaluation.report_file import SCHEMA, in_percent

PUBLISHED = Path(__file__).with_name("published.json")
"""What papers report, by benchmark. Each row names its source; decimals as in report.json.

``by_sequence`` names the numbers that some rows have for every object of every sequence. What the methods of
davis-matlab start from is general knowledge, not in their files [unverified].
"""


@dataclass(frozen=True)
class Column:
    """A number of a benchmark: its name in tables, where report.json holds it, and which way is better."""

    name: str
    path: tuple[str, ...]
    lower_is_better: bool = False


_DAVIS = (
    Column("J&F", ("global", "J&F")),
    Column("J mean", ("global", "J", "mean")),
    Column("J recall", ("global", "J", "recall")),
    Column("J decay", ("global", "J", "decay"), lower_is_better=True),
    Column("F mean", ("global", "F", "mean")),
    Column("F recall", ("global", "F", "recall")),
    Column("F decay", ("global", "F", "decay"), lower_is_better=True),
)
_VOT = (
    Column("EAO", ("global", "EAO")),
    Column("A", ("global", "A")),
    Column("R", ("global", "R"), lower_is_better=True),
)
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "davis2016": _DAVIS,
    "davis2017": _DAVIS,
    "youtubevos": tuple(Column(name, ("summary", name)) for name in ("O", "J_S", "J_U", "F_S", "F_U")),
    "segtrackv2": (Column("J", ("global", "J", "mean")),),
    "jumpcut": tuple(Column(f"error@{d}", ("global", f"error@{d}"), lower_is_better=True) for d in (8, 16, 32)),
    "vot2016": _VOT,
    "vot2018": _VOT,
}
"""The numbers that a benchmark is known by. Others are compared by the columns of DAVIS."""


@dataclass(frozen=True)
class Row:
    """One run or paper. ``start`` is what it begins from: ``box``, ``mask``, ``none`` or, for a bound, ``truth``."""

    name: str
    scores: Mapping[str, float]
    source: str
    start: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Runs and papers of one benchmark; a score that is not known is absent.

    ``same`` are the papers over the very sequences that all runs have, where these are a part of the benchmark and
    the paper's numbers are known one by one. ``sequences`` holds J of each run by sequence, None where a run lacks
    it. ``total`` is how many sequences the papers' numbers are means over, None where no paper is known.
    """

    benchmark: str
    columns: tuple[Column, ...]
    runs: tuple[Row, ...]
    papers: tuple[Row, ...] = ()
    same: tuple[Row, ...] = ()
    sequences: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    counts: tuple[int, ...] = ()
    total: int | None = None

    @property
    def caption(self) -> str:
        """Over how many sequences each side's means are taken."""
        counts = " and ".join(str(count) for count in sorted(set(self.counts)))
        runs = f"{'runs' if len(self.runs) > 1 else 'run'} over {counts} sequence{'' if counts == '1' else 's'}"
        if self.total is None:
            return runs
        return f"{runs}, papers over all {self.total} of the benchmark"


def read_report(path: Path) -> dict[str, Any]:
    """The content of a report.json, checked as far as a comparison reads it.

    Raises InputError where the file is missing or no report of ours, DataError where it is one but damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a report.json of vossegment (no valid JSON)") from error
    if not isinstance(content, dict) or not isinstance(content.get("benchmark"), str) or "schema" not in content:
        raise InputError(f"{path}: not a report.json of vossegment")
    if content["schema"] != SCHEMA:
        raise InputError(f"{path}: a report of schema {content['schema']}; this version reads {SCHEMA}")
    for key in ("global", "sequences"):
        if not isinstance(content.get(key), dict):
            raise DataError(f"{path}: damaged, '{key}' is missing; score again")
    for name, part in content["sequences"].items():
        if not isinstance(part, dict) or not name.isprintable():
            raise DataError(f"{path}: damaged at sequence {name!a}; score again")
    return content


def published(benchmark: str) -> list[Row]:
    """What papers report on ``benchmark``, best first; none where the benchmark is not in published.json."""
    return [_paper(row) for row in _rows(benchmark)]


def published_over(benchmark: str, sequences: Iterable[str]) -> list[Row]:
    """What papers report on ``sequences`` alone, best first: of those that give every sequence's numbers.

    Means over all objects, as the benchmark's own are over all of its sequences.
    """
    wanted, names = list(sequences), _published().get(benchmark, {}).get("by_sequence", [])
    found = []
    for row in _rows(benchmark):
        parts = row.get("sequences", {})
        if not wanted or any(name not in parts for name in wanted):
            continue
        objects = [item for name in wanted for item in parts[name]]
        scores = {name: fmean(values) for name, values in zip(names, zip(*objects, strict=True), strict=True)}
        scores["J&F"] = (scores["J mean"] + scores["F mean"]) / 2
        found.append(replace(_paper(row), scores=scores))
    return sorted(found, key=lambda row: -row.scores["J&F"])


def _rows(benchmark: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _published().get(benchmark, {}).get("rows", [])
    return rows


def _paper(row: Mapping[str, Any]) -> Row:
    return Row(**{key: value for key, value in row.items() if key != "sequences"})


@cache
def _published() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return content


def comparison(reports: ListOf[Mapping[str, Any]], names: ListOf[str]) -> Comparison:
    """Sets ``reports`` side by side under ``names``, with the papers' rows of their benchmark.

    Raises InputError where there is none, or one is of another benchmark than the first.
    """
    if not reports:
        raise InputError("no report to compare")
    benchmark = str(reports[0]["benchmark"])
    for report, name in zip(reports, names, strict=True):
        if report["benchmark"] != benchmark:
            raise InputError(f"{name}: a report of {report['benchmark']}, but {names[0]} is one of {benchmark}")
    columns = COLUMNS.get(benchmark, _DAVIS)
    runs = tuple(_run(report, name, columns) for report, name in zip(reports, names, strict=True))
    found = dict.fromkeys(sequence for report in reports for sequence in report["sequences"])
    shared = [name for name in found if all(name in report["sequences"] for report in reports)]
    total = _published().get(benchmark, {}).get("sequences")
    return Comparison(
        benchmark,
        columns,
        runs,
        papers=tuple(published(benchmark)),
        same=tuple(
            replace(row, name=f"{row.name}, on the same {len(shared)}")
            for row in (published_over(benchmark, shared) if len(shared) != total else [])
        ),
        sequences={name: tuple(_region(report, name) for report in reports) for name in found},
        counts=tuple(len(report["sequences"]) for report in reports),
        total=total,
    )


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "benchmark": comparison.benchmark,
        "caption": comparison.caption,
        "columns": [column.name for column in comparison.columns],
        "runs": [asdict(row) for row in comparison.runs],
        "papers": [asdict(row) for row in comparison.papers],
        "same": [asdict(row) for row in comparison.same],
        "sequences": {name: list(values) for name, values in comparison.sequences.items()},
    }


def comparison_table(comparison: Comparison) -> Table:
    """For a terminal: runs, papers over the runs' sequences, papers over all. The best run's numbers are bold.

    Methods that are told nothing of the object solve another task: they are in `comparison_json` alone.
    """
    table = Table(title=comparison.benchmark, caption=comparison.caption)
    table.add_column("", no_wrap=True)
    table.add_column("from", no_wrap=True)
    for column in comparison.columns:
        # In two lines, so that seven columns of numbers fit 100 characters.
        table.add_column(column.name.replace(" ", "\n"), justify="right", no_wrap=True)
    best = {
        column.name: (min if column.lower_is_better else max)(values)
        for column in comparison.columns
        if len(values := [row.scores[column.name] for row in comparison.runs if column.name in row.scores]) > 1
    }
    told = [row for row in comparison.papers if row.start != "none"]
    for rows, marks in ((comparison.runs, best), (comparison.same, {}), (told, {})):
        for row in rows:
            table.add_row(*_cells(row, comparison, marks))
        table.add_section()
    return table


def sequence_table(comparison: Comparison) -> Table:
    """For a terminal: J of every run by sequence, the best bold; a sequence that not every run has bears a star."""
    parts = any(None in values for values in comparison.sequences.values())
    table = Table(title=f"{comparison.benchmark}: J", caption="* not scored in every run" if parts else None)
    table.add_column("sequence", no_wrap=True)
    for row in comparison.runs:
        table.add_column(Text(row.name), justify="right")
    for name, values in comparison.sequences.items():
        known = [value for value in values if value is not None]
        best = max(known) if len(known) > 1 else None
        cells = [_cell(value, percent=True, bold=value is not None and value == best) for value in values]
        table.add_row(Text(f"{name} *" if None in values else name), *cells)
    return table


def _run(report: Mapping[str, Any], name: str, columns: Iterable[Column]) -> Row:
    scores = {column.name: value for column in columns if (value := _number(report, column.path)) is not None}
    model = report.get("model")
    start = model.get("start") if isinstance(model, Mapping) else None
    return Row(name, scores, source=name, start=start if isinstance(start, str) else None)


def _region(report: Mapping[str, Any], sequence: str) -> float | None:
    return _number(report["sequences"].get(sequence, {}), ("J", "mean"))


def _number(content: Any, path: Iterable[str]) -> float | None:
    """The finite number at ``path``, None where there is none."""
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(content, int | float) or isinstance(content, bool):
        return None
    try:
        return float(content) if math.isfinite(content) else None
    except OverflowError:
        return None


def _cells(row: Row, comparison: Comparison, best: Mapping[str, float]) -> list[Text]:
    percent, cells = in_percent(comparison.benchmark), [Text(row.name), Text(row.start or "")]
    for column in comparison.columns:
        value = row.scores.get(column.name)
        cells.append(_cell(value, percent, bold=value is not None and value == best.get(column.name)))
    return cells


def _cell(value: float | None, percent: bool, bold: bool) -> Text:
    # + 0.0 makes -0.0 a plain 0.0.
    number = "-" if value is None else f"{round(100 * value, 1) + 0.0:.1f}" if percent else f"{value:.3f}"
    return Text(number, style="bold" if bold else "")
