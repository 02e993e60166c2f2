"""What ``vossegment eval`` does for VOT: run a model or the toolkit and score it, or score result files."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vossegment.cli.progress import Meter
from vossegment.errors import InputError, one_of

if TYPE_CHECKING:
    from rich.table import Table

    from vossegment.data.vot import VotSequence
    from vossegment.evaluation.vot_report import VotReport
    from vossegment.models import LoadedModel
    from vossegment.tracking.types import Rotated


@dataclass(frozen=True)
class ModelCall:
    """Which model is run and how, by the names of the command's options. ``preset`` and ``rotated`` None: the
    benchmark's own, where they fit the model."""

    model: str
    weights: Path | None = None
    preset: str | None = None
    rotated: Rotated | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None


def run_vot(
    benchmark: str,
    data: Path,
    call: ModelCall,
    *,
    results: Path | None = None,
    representation: bool = False,
    toolkit: bool = False,
    seed: int = 0,
    out: Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> tuple[Path, ...]:
    """Scores a model on ``data``, or the result files in ``results``; writes report.json and prints a table.

    ``representation`` gives the rows of SiamMask's Table 1 in place of a run; ``toolkit`` lets the official toolkit
    run the model. Result files lie in ``out``/results, or in the toolkit's workspace ``out``/workspace. Gives the
    paths written, the report first. Raises InputError, DataError, WeightsError and OutputError, nothing written.
    """
    from vossegment.data.vot import unlisted, vot_sequences
    from vossegment.evaluation.report import check_folder
    from vossegment.evaluation.vot_measures import INTERVALS
    from vossegment.evaluation.vot_report import (
        report_json,
        representation_table,
        scores_table,
        table_json,
        write_report,
    )
    from vossegment.evaluation.vot_toolkit import check_installed

    if benchmark not in INTERVALS:
        raise InputError(one_of("benchmark", benchmark, INTERVALS))
    if sum((results is not None, representation, toolkit)) > 1:
        raise InputError("result files, the representation table and the toolkit exclude each other; choose one")
    if toolkit:
        check_installed()
    folder = out or Path(f"{benchmark}_eval")
    check_folder(folder, overwrite)
    sequences = vot_sequences(data)
    _tell_ignored(data, unlisted(data, [sequence.name for sequence in sequences]))
    if representation:
        rows, about = _rows(benchmark, sequences, call, seed, quiet)
        path = write_report(table_json(benchmark, rows, about, seed), folder)
        _show(path, representation_table(benchmark, rows), quiet)
        return (path,)
    if results is not None:
        report, kept = _scored(benchmark, sequences, results), results
    elif toolkit:
        report, kept = _with_toolkit(benchmark, sequences, call, folder, overwrite, quiet)
    else:
        report, kept = _run(benchmark, sequences, call, folder, quiet)
    path = write_report(report_json(report), folder)
    _show(path, scores_table(report), quiet)
    if report.speed is not None and not quiet:
        print(
            f"{report.speed.network_fps or 0:.1f} frames/s in crops and network, "
            f"{report.speed.end_to_end_fps:.1f} from decoding to box "
            f"({report.speed.device}, {report.speed.threads} threads)",
            file=sys.stderr,
        )
    return (path,) if results is not None else (path, kept)


def _scored(benchmark: str, sequences: Sequence[VotSequence], results: Path) -> VotReport:
    from vossegment.data.vot import unlisted
    from vossegment.evaluation.vot_measures import INTERVALS, VotScores
    from vossegment.evaluation.vot_report import VotReport
    from vossegment.evaluation.vot_results import EXPERIMENT, score_results

    runs = score_results(sequences, results)
    _tell_ignored(results / EXPERIMENT, unlisted(results / EXPERIMENT, [sequence.name for sequence in sequences]))
    return VotReport(benchmark, VotScores(runs, INTERVALS[benchmark]), results=str(results))


def _run(
    benchmark: str, sequences: Sequence[VotSequence], call: ModelCall, folder: Path, quiet: bool
) -> tuple[VotReport, Path]:
    import torch

    from vossegment.evaluation.report import Speed
    from vossegment.evaluation.vot import scored, supervised
    from vossegment.evaluation.vot_measures import INTERVALS, VotScores
    from vossegment.evaluation.vot_report import VotReport
    from vossegment.evaluation.vot_results import write_results
    from vossegment.evaluation.vot_tracker import beginning
    from vossegment.pipeline import Stages

    loaded, kind, about = _loaded(benchmark, call)
    stages, seconds, runs = Stages(), 0.0, []
    begin = beginning(loaded.tracker, kind, stages)
    with Meter(benchmark, len(sequences), "sequences", quiet=quiet) as meter:
        for sequence in sequences:
            began = time.perf_counter()
            answers = supervised(sequence, begin)
            seconds += time.perf_counter() - began
            write_results(folder / "results", sequence.name, answers)
            runs.append(scored(sequence, answers))
            meter.advance()
    frames = sum(len(run) for run in runs)
    speed = Speed(str(loaded.device), torch.get_num_threads(), frames / seconds, stages.frames / stages.step)
    scores = VotScores(tuple(runs), INTERVALS[benchmark])
    return VotReport(benchmark, scores, model=about, speed=speed), folder / "results"


def _with_toolkit(
    benchmark: str, sequences: Sequence[VotSequence], call: ModelCall, folder: Path, overwrite: bool, quiet: bool
) -> tuple[VotReport, Path]:
    from vossegment.evaluation.vot_measures import INTERVALS, VotScores
    from vossegment.evaluation.vot_report import VotReport
    from vossegment.evaluation.vot_results import score_results
    from vossegment.evaluation.vot_toolkit import evaluate

    # Loaded here once, so that a wrong call is told before the toolkit runs, in our words.
    _, kind, about = _loaded(benchmark, call)
    command = _command(benchmark, call, kind)
    found = evaluate(sequences, benchmark, command, folder / "workspace", overwrite=overwrite, quiet=quiet)
    scores = VotScores(score_results(sequences, found.results), INTERVALS[benchmark])
    return VotReport(benchmark, scores, model=about, toolkit=found), found.results


def _rows(
    benchmark: str, sequences: Sequence[VotSequence], call: ModelCall, seed: int, quiet: bool
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    from vossegment.evaluation.representation import kinds_of, oracle_rows, tracker_rows

    loaded, _, about = _loaded(benchmark, call)
    kinds_of(loaded.tracker)
    with Meter(benchmark, len(sequences), "sequences", quiet=quiet) as meter:
        made = tracker_rows(sequences, loaded.tracker, seed=seed, on_sequence=lambda _: meter.advance())
    return (*oracle_rows(sequences), *made), about


def _loaded(benchmark: str, call: ModelCall) -> tuple[LoadedModel, Rotated, dict[str, Any]]:
    """The model, the kind of box that is read out, and the report's entry on both."""
    from vossegment.evaluation.vot_tracker import has_masks
    from vossegment.models import load, preset_settings

    preset = _preset(benchmark, call)
    loaded = load(
        call.model,
        weights=call.weights,
        device=call.device,
        precision=call.precision,
        threads=call.threads,
        settings=preset_settings(preset, call.model),
    )
    masked = has_masks(loaded.tracker)
    kind: Rotated = call.rotated or ("mbr" if masked else "box")
    if kind != "box" and not masked:
        raise InputError(f"--rotated {kind} is read out of a mask, and {call.model} gives none; leave it out")
    return loaded, kind, {**loaded.describe(), "preset": preset, "rotated": kind}


def _preset(benchmark: str, call: ModelCall) -> str | None:
    from vossegment.models import takes_presets

    return call.preset or (benchmark if takes_presets(call.model) else None)


def _command(benchmark: str, call: ModelCall, kind: Rotated) -> list[str]:
    """How the toolkit starts the model's process, from whatever folder."""
    options = {
        "--model": call.model,
        "--weights": None if call.weights is None else str(call.weights.resolve()),
        "--preset": _preset(benchmark, call),
        "--rotated": kind,
        "--device": call.device,
        "--precision": call.precision,
        "--threads": call.threads,
    }
    given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    return [sys.executable, "-m", "vossegment.cli.trax_process", *given]


def _tell_ignored(folder: Path, names: Sequence[str]) -> None:
    if names:
        listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        print(f"{folder}: not in list.txt, ignored: {listed}", file=sys.stderr)


def _show(path: Path, table: Table, quiet: bool) -> None:
    from rich.console import Console

    if quiet:
        print(path)
        return
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    print(f"report: {path}", file=sys.stderr)
