"""``vossegment eval`` of the benchmarks whose results are masks: run or read, score, report, pack."""

from __future__ import annotations

import sys
from collections.abc import Sequence as ListOf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vossegment.cli.asked import Asked
from vossegment.cli.progress import Meter
from vossegment.cli.reporting import show
from vossegment.data.sequence import FileSequence
from vossegment.evaluation.baselines import BASELINES
from vossegment.evaluation.benchmarks import Benchmark, find_benchmark
from vossegment.evaluation.moments import WorstMoments, moments_of
from vossegment.evaluation.page import Moment
from vossegment.evaluation.report import Report, Speed, scores_table, write_report
from vossegment.evaluation.results import left_over
from vossegment.evaluation.run import OURS, begin, evaluate, kept, save, tracked
from vossegment.evaluation.scoring import is_hidden, score_beside
from vossegment.evaluation.submission import pack
from vossegment.whole_files import make_folder

if TYPE_CHECKING:
    from vossegment.models import LoadedModel


def evaluate_masks(asked: Asked) -> list[Path]:
    """Does what was asked; gives the files written, the report first."""
    rule = find_benchmark(asked.benchmark)
    if asked.skip is not None:
        rule = rule.skipping(asked.skip)
    split = asked.split or rule.split
    pictures = asked.results is None or asked.submission
    sequences = rule.load(asked.data, split, images=pictures, only=asked.only)
    if rule.packed_in is not None and all(map(is_hidden, sequences)):
        # Without pictures, frames whose truth is hidden are not known.
        whole = sequences if pictures else rule.load(asked.data, split, images=True, only=asked.only)
        return [_packed(asked, rule, whole)]
    report, moments = _scored(asked, rule, sequences) if asked.results is not None else _run(asked, rule, sequences)
    paths = list(write_report(report, asked.out, split, moments))
    if asked.submission:
        paths.append(_pack(asked, rule, sequences, asked.results or asked.out / "masks"))
    if not asked.quiet:
        _tell(report, paths[0], asked)
    return paths


def _settings(asked: Asked, rule: Benchmark, sequences: ListOf[FileSequence]) -> dict[str, Any]:
    return {
        "split": asked.split or rule.split,
        "sequences": len(sequences),
        "left out": ", ".join(sorted(rule.skip)) or "nothing",
        "follows": rule.follows,
        **({} if asked.preset is None else {"preset": asked.preset}),
    }


def _scored(asked: Asked, rule: Benchmark, sequences: ListOf[FileSequence]) -> tuple[Report, list[Moment]]:
    """Masks of any program."""
    assert asked.results is not None
    with Meter(asked.benchmark, len(sequences), "sequences", quiet=asked.quiet) as meter:
        scored = score_beside(
            sequences,
            {OURS: asked.results, **BASELINES},
            rule,
            jobs=asked.threads,
            on_sequence=lambda _: meter.advance(),
        )
    strange = left_over(sequences, asked.results)
    notes = (f"folders of no sequence, ignored: {', '.join(strange)}",) if strange else ()
    scores = scored.pop(OURS)
    settings = _settings(asked, rule, sequences)
    report = Report(scores, results=str(asked.results), baselines=scored, settings=settings, notes=notes)
    return report, moments_of(scores, sequences, asked.results)


def _run(asked: Asked, rule: Benchmark, sequences: ListOf[FileSequence]) -> tuple[Report, list[Moment]]:
    """A model of ours."""
    import torch

    from vossegment.pipeline import Stages, segment
    from vossegment.runtime.prepare import device_name

    loaded, stages, worst = asked.load(), Stages(), WorstMoments(rule)
    masks = asked.out / "masks" if asked.save_masks or asked.submission or asked.resume else None
    resume = masks is not None and _begun(asked, loaded, masks)
    with Meter(asked.benchmark, len(sequences), "sequences", quiet=asked.quiet) as meter:

        def scored(sequence: Any, part: Any, labels: Any) -> None:
            worst.add(sequence, part, labels)
            meter.advance()

        run = evaluate(
            sequences,
            lambda sequence: segment(sequence, loaded, stages, asked.start),
            rule,
            save_to=masks,
            resume=resume,
            on_sequence=scored,
        )
    speed = None
    if run.frames:
        threads, network = torch.get_num_threads(), stages.frames / stages.step
        speed = Speed(device_name(loaded.device), threads, run.end_to_end_fps, network)
    report = Report(
        run.scores,
        model={**loaded.describe(), "start": asked.start},
        speed=speed,
        baselines=run.baselines,
        settings=_settings(asked, rule, sequences),
    )
    return report, worst.moments


def _begun(asked: Asked, loaded: LoadedModel, masks: Path) -> bool:
    """Whether ``masks`` holds some of this very run, to go on with."""
    about = {"benchmark": asked.benchmark, "data": str(asked.data.resolve()), "split": asked.split}
    run = {**about, **loaded.describe(), "start": asked.start, "preset": asked.preset}
    return begin(masks, run, resume=asked.resume, overwrite=asked.overwrite)


def _packed(asked: Asked, rule: Benchmark, sequences: ListOf[FileSequence]) -> Path:
    """Where the truth is hidden, there is nothing to score: the masks are packed for the server."""
    masks = asked.results
    if masks is None:
        from vossegment.pipeline import segment

        masks, loaded = asked.out / "masks", asked.load()
        resume = _begun(asked, loaded, masks)
        with Meter(asked.benchmark, len(sequences), "sequences", quiet=asked.quiet) as meter:
            for sequence in sequences:
                if not resume or kept(sequence, masks) is None:
                    labels, _ = tracked(sequence, lambda sequence: segment(sequence, loaded, start=asked.start))
                    save(sequence, labels, masks)
                meter.advance()
    return _pack(asked, rule, sequences, masks)


def _pack(asked: Asked, rule: Benchmark, sequences: ListOf[FileSequence], masks: Path) -> Path:
    make_folder(asked.out)
    path = pack(sequences, masks, rule, asked.out / "submission.zip", folder=asked.zip_folder)
    if not asked.quiet:
        print(f"packed for the benchmark's server: {path}", file=sys.stderr)
    return path


def _tell(report: Report, path: Path, asked: Asked) -> None:
    for note in report.notes:
        print(f"vossegment: warning: {note}", file=sys.stderr)
    show(scores_table(report))
    if report.speed is not None:
        print(f"{report.speed.told('mask')}, from the first {asked.start}", file=sys.stderr)
    print(f"report: {path}", file=sys.stderr)
