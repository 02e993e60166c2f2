"""VOT's results as people and programs read them: report.json and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from vossegment.evaluation.report import Speed
from vossegment.evaluation.report_file import SCHEMA
from vossegment.evaluation.vot.measures import Row, VotRun, VotScores
from vossegment.evaluation.vot.toolkit import ToolkitScores

RULE = "supervised: begun again 5 frames after a failure, 10 frames of burn-in; exact overlaps inside the frame"
TABLE_RULE = "representation: one search window a frame near the truth, nothing tracked; shares of IoU above .5 and .7"


@dataclass(frozen=True)
class VotReport:
    """A run's measures, and whose they are: ``model`` is None where result files lay in ``results``."""

    benchmark: str
    scores: VotScores
    model: Mapping[str, Any] | None = None
    results: str | None = None
    speed: Speed | None = None
    toolkit: ToolkitScores | None = None


def report_json(report: VotReport) -> dict[str, Any]:
    """The content of ``report.json``: EAO, A and overlaps from 0 to 1, R in failures per 100 frames, unrounded; null
    where nothing counts."""
    scores, toolkit = report.scores, report.toolkit
    return {
        "schema": SCHEMA,
        "benchmark": report.benchmark,
        "rule": RULE,
        "model": None if report.model is None else dict(report.model),
        "results": report.results,
        "global": {
            "EAO": _known(scores.eao),
            "A": _known(scores.accuracy),
            "R": scores.robustness,
        },
        "counts": {
            "frames": sum(len(run) for run in scores.runs),
            "failures": scores.failures,
            "mean_failures": scores.mean_failures,
        },
        "expected_overlaps": {"interval": list(scores.interval), "curve": scores.curve.tolist()},
        "sequences": {run.name: _sequence(run) for run in scores.runs},
        "speed": None if report.speed is None else asdict(report.speed),
        "toolkit": None
        if toolkit is None
        else {"version": toolkit.version, "EAO": toolkit.eao, "A": toolkit.accuracy, "R": toolkit.robustness},
    }


def table_json(benchmark: str, rows: Sequence[Row], model: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The content of ``report.json`` for a representation table, in decimals.

    It is no report of the benchmark's own measures, and not named as one.
    """
    return {
        "schema": SCHEMA,
        "benchmark": f"{benchmark}-representation",
        "rule": TABLE_RULE,
        "model": dict(model),
        "seed": seed,
        "rows": {
            row.name: {
                "mIoU": _known(row.mean),
                "above_0.5": _known(row.above_half),
                "above_0.7": _known(row.above_most),
            }
            for row in rows
        },
    }


def scores_table(report: VotReport) -> Table:
    """The measures for a terminal, as VOT's papers print them: a row a sequence, then the whole."""
    low, high = report.scores.interval
    table = Table(title=f"{report.benchmark}: supervised; R in failures per 100 frames; EAO of {low} to {high} frames")
    table.add_column("sequence", no_wrap=True)
    for head in ("frames", "failures", "A", "R", "EAO"):
        table.add_column(head, justify="right", no_wrap=True)
    for run in report.scores.runs:
        table.add_row(Text(run.name), *_counts([run]), _cell(run.accuracy), _cell(run.robustness), "")
    table.add_section()
    whole = report.scores
    measures = _cell(whole.accuracy), _cell(whole.robustness), _cell(whole.eao)
    table.add_row(Text("global"), *_counts(whole.runs), *measures, style="bold")
    if report.toolkit is not None:
        toolkit = report.toolkit
        eao = math.nan if toolkit.eao is None else toolkit.eao
        # Its robustness is in failures a sequence, which have a column of their own here.
        name = f"vot-toolkit {toolkit.version}"
        table.add_row(Text(name), "", f"{toolkit.robustness:.2f}", _cell(toolkit.accuracy), "", _cell(eao))
    return table


def representation_table(benchmark: str, rows: Sequence[Row]) -> Table:
    """The rows for a terminal, in percent, as SiamMask's Table 1 has them."""
    table = Table(title=f"{benchmark}: how well a kind of box stands for the object")
    table.add_column("box from", no_wrap=True)
    for head in ("mIoU", "mAP@0.5", "mAP@0.7"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(Text(row.name), *(f"{100 * v:.2f}" for v in (row.mean, row.above_half, row.above_most)))
    return table


def _sequence(run: VotRun) -> dict[str, Any]:
    answered = [value if code is None else None for code, value in zip(run.codes, run.overlaps, strict=True)]
    return {
        "A": _known(run.accuracy),
        "R": run.robustness,
        "failures": run.failures,
        "frames": len(run),
        "overlaps": answered,
        "codes": list(run.codes),
    }


def _counts(runs: Sequence[VotRun]) -> tuple[str, str]:
    return str(sum(len(run) for run in runs)), str(sum(run.failures for run in runs))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
