"""``vossegment eval``: run a model on a benchmark and score it, or score masks that any program wrote."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vossegment.cli import options
from vossegment.cli.progress import Meter
from vossegment.errors import InputError, one_of

if TYPE_CHECKING:
    from vossegment.pipeline import Start

NAME = "eval"
EPILOG = options.examples(
    "vossegment eval davis2016 --data DAVIS",
    "vossegment eval davis2016 --data DAVIS --results masks_of_any_program",
)
_STARTS: dict[str, Start] = {"box": "box", "mask": "mask"}


def command(
    benchmark: Annotated[str, typer.Argument(help="davis2016 or davis2017.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The data set's root folder.")],
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="DIR", help="Score these masks, DIR/<sequence>/00001.png, run nothing."),
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="The list of sequences.")] = "val",
    start: Annotated[
        str, typer.Option("--start", help="What the model starts from: the first mask's tight box, or the mask.")
    ] = "box",
    save_masks: Annotated[bool, typer.Option("--save-masks", help="Keep the label maps, in DIR/masks.")] = False,
    preset: options.Preset = None,
    model: options.ModelName = options.MODEL,
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Score a model, or masks that any program wrote, on a benchmark, beside the first box and mask held still.

    Writes report.json and the official CSV files into DIR, by default BENCHMARK_eval.
    """
    from rich.console import Console

    from vossegment.data.davis import davis_sequences
    from vossegment.evaluation.benchmarks import find_benchmark, score
    from vossegment.evaluation.report import Report, Speed, check_folder, scores_table, write_report
    from vossegment.evaluation.run import evaluate, score_baselines

    if start not in _STARTS:
        raise InputError(one_of("start", start, _STARTS))
    rule = find_benchmark(benchmark)
    folder = out or Path(f"{benchmark}_eval")
    check_folder(folder, overwrite)
    sequences = davis_sequences(data, split, rule.year, images=results is None)
    jobs = threads or os.cpu_count() or 1
    with Meter(benchmark, len(sequences), "sequences", quiet=quiet) as meter:
        if results is not None:
            scores = score(sequences, results, rule, jobs=jobs, on_sequence=lambda _: meter.advance())
            report = Report(scores, results=str(results), baselines=score_baselines(sequences, rule, jobs=jobs))
        else:
            import torch

            from vossegment.models import load, preset_settings
            from vossegment.pipeline import Stages, segment

            loaded = load(
                model,
                weights=weights,
                device=device,
                precision=precision,
                threads=threads,
                settings=preset_settings(preset, model),
            )
            stages = Stages()
            run = evaluate(
                sequences,
                lambda sequence: segment(sequence, loaded, stages, _STARTS[start]),
                rule,
                save_to=folder / "masks" if save_masks else None,
                on_sequence=lambda _: meter.advance(),
            )
            report = Report(
                run.scores,
                model={**loaded.describe(), "start": start},
                speed=Speed(
                    str(loaded.device), torch.get_num_threads(), run.end_to_end_fps, stages.frames / stages.step
                ),
                baselines=score_baselines(sequences, rule, jobs=jobs),
            )
    paths = write_report(report, folder, split)
    if quiet:
        print(*paths, sep="\n")
        return
    Console(width=None if sys.stdout.isatty() else 100).print(scores_table(report))
    if report.speed is not None:
        print(
            f"{report.speed.network_fps or 0:.1f} frames/s in crops and network, "
            f"{report.speed.end_to_end_fps:.1f} from decoding to mask "
            f"({report.speed.device}, {report.speed.threads} threads), from the first {start}",
            file=sys.stderr,
        )
    print(f"report: {paths[0]}", file=sys.stderr)
