"""What ``vossegment eval`` does for VOT: run a model or the toolkit and score it, or score result files."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vossegment.cli.asked import Asked
from vossegment.cli.progress import Meter
from vossegment.cli.reporting import write_and_show
from vossegment.errors import InputError, one_of

if TYPE_CHECKING:
    from vossegment.data.vot import VotSequence
    from vossegment.evaluation.vot.measures import VotRun, VotScores
    from vossegment.evaluation.vot.report import VotReport
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


@dataclass(frozen=True)
class _Job:
    """What every way of scoring is given: the checked call."""

    benchmark: str
    data: Path
    sequences: Sequence[VotSequence]
    call: ModelCall
    folder: Path
    quiet: bool


def evaluate_vot(asked: Asked) -> list[Path]:
    """Does what was asked; gives the files written, the report first."""
    if asked.start != "box":
        raise InputError("VOT's trackers begin from boxes; leave --start out")
    return run_vot(
        asked.benchmark,
        asked.data,
        ModelCall(
            asked.model, asked.weights, asked.preset, asked.rotated, asked.device, asked.precision, asked.threads
        ),
        results=asked.results,
        only=asked.only,
        representation=asked.representation,
        toolkit=asked.toolkit,
        seed=asked.seed,
        out=asked.out,
        overwrite=asked.overwrite,
        quiet=asked.quiet,
    )


def run_vot(
    benchmark: str,
    data: Path,
    call: ModelCall,
    *,
    results: Path | None = None,
    only: Sequence[str] = (),
    representation: bool = False,
    toolkit: bool = False,
    seed: int = 0,
    out: Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> list[Path]:
    """Scores a model on ``data``, or the result files in ``results``; writes report.json.

    A table is printed unless ``quiet``. ``only`` names some of the sequences, * and ? fit many. ``representation``
    gives the rows of SiamMask's Table 1 in place of a run; ``toolkit`` lets the official toolkit run the model. Result
    files lie in ``out``/results, or in the toolkit's workspace ``out``/workspace. Gives the paths written, the report
    first. Raises InputError, DataError, WeightsError or OutputError.
    """
    from vossegment.data.vot import vot_sequences
    from vossegment.evaluation.report_file import check_folder
    from vossegment.evaluation.vot.measures import INTERVALS
    from vossegment.evaluation.vot.toolkit import check_installed

    if sum((results is not None, representation, toolkit)) > 1:
        raise InputError("result files, the representation table and the toolkit exclude each other; choose one")
    if toolkit:
        check_installed()
    if benchmark not in INTERVALS:
        raise InputError(one_of("benchmark", benchmark, INTERVALS))
    folder = out or Path(f"{benchmark}_eval")
    check_folder(folder, overwrite)
    job = _Job(benchmark, data, vot_sequences(data, only=only), call, folder, quiet)
    _tell_ignored(job, data)
    if representation:
        return _represent(job, seed)
    if results is not None:
        return _report(job, _scored(job, results))
    if toolkit:
        report, kept = _with_toolkit(job, overwrite)
    else:
        report, kept = _run(job), job.folder / "results"
    return [*_report(job, report), kept]


def _scored(job: _Job, results: Path) -> VotReport:
    from vossegment.evaluation.vot.report import VotReport
    from vossegment.evaluation.vot.results import EXPERIMENT, score_results

    runs = score_results(job.sequences, results)
    _tell_ignored(job, results / EXPERIMENT)
    return VotReport(job.benchmark, _scores(job, runs), results=str(results))


def _run(job: _Job) -> VotReport:
    import torch

    from vossegment.evaluation.report import Speed
    from vossegment.evaluation.vot.report import VotReport
    from vossegment.evaluation.vot.results import write_results
    from vossegment.evaluation.vot.supervised import scored, supervised
    from vossegment.evaluation.vot.tracker import beginning
    from vossegment.pipeline import Stages
    from vossegment.runtime.prepare import device_name

    loaded, kind, about = _loaded(job)
    stages, seconds, runs = Stages(), 0.0, []
    begin = beginning(loaded.tracker, kind, stages)
    with Meter(job.benchmark, len(job.sequences), "sequences", quiet=job.quiet) as meter:
        for sequence in job.sequences:
            began = time.perf_counter()
            answers = supervised(sequence, begin)
            seconds += time.perf_counter() - began
            write_results(job.folder / "results", sequence.name, answers)
            runs.append(scored(sequence, answers))
            meter.advance()
    frames = sum(len(run) for run in runs)
    speed = Speed(device_name(loaded.device), torch.get_num_threads(), frames / seconds, stages.frames / stages.step)
    return VotReport(job.benchmark, _scores(job, runs), model=about, speed=speed)


def _with_toolkit(job: _Job, overwrite: bool) -> tuple[VotReport, Path]:
    from vossegment.evaluation.vot.report import VotReport
    from vossegment.evaluation.vot.results import score_results
    from vossegment.evaluation.vot.toolkit import evaluate

    # Loaded here once, and let go, so that a wrong call is told before the toolkit runs, in our words.
    kind, about = _loaded(job)[1:]
    found = evaluate(
        job.sequences,
        job.benchmark,
        _command(job, kind),
        job.folder / "workspace",
        overwrite=overwrite,
        quiet=job.quiet,
    )
    scores = _scores(job, score_results(job.sequences, found.results))
    return VotReport(job.benchmark, scores, model=about, toolkit=found), found.results


def _represent(job: _Job, seed: int) -> list[Path]:
    from vossegment.evaluation.vot.report import representation_table, table_json
    from vossegment.evaluation.vot.representation import kinds_of, oracle_rows, tracker_rows

    loaded, _, about = _loaded(job)
    kinds_of(loaded.tracker)
    with Meter(job.benchmark, len(job.sequences), "sequences", quiet=job.quiet) as meter:
        made = tracker_rows(job.sequences, loaded.tracker, seed=seed, on_sequence=lambda _: meter.advance())
    rows = (*oracle_rows(job.sequences), *made)
    del about["rotated"]  # every kind has its row
    content = table_json(job.benchmark, rows, about, seed)
    return write_and_show(content, representation_table(job.benchmark, rows), job.folder, quiet=job.quiet)


def _report(job: _Job, report: VotReport) -> list[Path]:
    from vossegment.evaluation.vot.report import report_json, scores_table

    paths = write_and_show(report_json(report), scores_table(report), job.folder, quiet=job.quiet)
    if report.speed is not None and not job.quiet:
        print(report.speed.told("box"), file=sys.stderr)
    return paths


def _scores(job: _Job, runs: Sequence[VotRun]) -> VotScores:
    from vossegment.evaluation.vot.measures import INTERVALS, VotScores

    return VotScores(tuple(runs), INTERVALS[job.benchmark])


def _loaded(job: _Job) -> tuple[LoadedModel, Rotated, dict[str, Any]]:
    """The model, the kind of box that is read out, and the report's entry on both."""
    from vossegment.evaluation.vot.tracker import has_masks
    from vossegment.models import load, preset_settings

    call, preset = job.call, _preset(job)
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


def _preset(job: _Job) -> str | None:
    from vossegment.models import takes_presets

    return job.call.preset or (job.benchmark if takes_presets(job.call.model) else None)


def _command(job: _Job, kind: Rotated) -> list[str]:
    """How the toolkit starts the model's process, from whatever folder."""
    call = job.call
    options = {
        "--model": call.model,
        "--weights": None if call.weights is None else str(call.weights.resolve()),
        "--preset": _preset(job),
        "--rotated": kind,
        "--device": call.device,
        "--precision": call.precision,
        "--threads": call.threads,
    }
    given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    return [sys.executable, "-m", "vossegment.cli.trax_process", *given]


def _tell_ignored(job: _Job, folder: Path) -> None:
    """Tells the folders in ``folder`` that are no sequence's."""
    from vossegment.data.folders import subfolders
    from vossegment.data.vot import listed

    known = set(listed(job.data))
    if names := [name for name in subfolders(folder) if name not in known]:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        print(f"{folder}: folders of no sequence, ignored: {shown}", file=sys.stderr)
