"""``vossegment eval``: run a model on a benchmark and score it, or score masks that any program wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vossegment.cli import options
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
    benchmark: Annotated[
        str, typer.Argument(help="davis2016, davis2017, youtubevos, segtrackv2, jumpcut, vot2016 or vot2018.")
    ],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[REPORT]...", help="More reports for --compare.", show_default=False)
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data set's root folder.")] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            help="Score these, run nothing: DIR/<sequence>/00001.png; jumpcut: DIR/<clip>/<key frame>/00008.png; "
            "VOT: DIR/baseline/<sequence>/<sequence>_001.txt.",
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="The list of sequences; default: the benchmark's own.")
    ] = None,
    sequences: Annotated[
        str, typer.Option("--sequences", metavar="LIST", help="Only these of them; * and ? fit many.")
    ] = "",
    start: Annotated[
        str, typer.Option("--start", help="What the model starts from: the first mask's tight box, or the mask.")
    ] = "box",
    skip: Annotated[
        str | None,
        typer.Option("--skip", metavar="LIST", help="Frames that do not count: first, last or first,last."),
    ] = None,
    all_frames: Annotated[bool, typer.Option("--all-frames", help="Count the first and last frame, too.")] = False,
    save_masks: Annotated[bool, typer.Option("--save-masks", help="Keep the label maps, in DIR/masks.")] = False,
    submission: Annotated[
        bool,
        typer.Option("--submission", help="Pack the masks for the benchmark's server; always where truth is hidden."),
    ] = False,
    zip_folder: Annotated[
        str | None,
        typer.Option("--zip-folder", metavar="NAME", help="Top folder in the packed file; default: the server's."),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(
            "--compare",
            metavar="REPORT",
            help="Set these report.json, or the folders that hold them, side by side, this run first where there is "
            "--data, with the papers' numbers.",
        ),
    ] = None,
    rotated: Annotated[
        str | None, typer.Option("--rotated", help="VOT: the box read out, box, minmax, mbr or opt; default: mbr.")
    ] = None,
    representation: Annotated[
        bool, typer.Option("--representation", help="VOT: how well each kind of box stands for the object.")
    ] = False,
    toolkit: Annotated[
        bool, typer.Option("--toolkit", help="VOT: let the official toolkit run the model; needs vossegment[vot].")
    ] = False,
    seed: options.Seed = 0,
    preset: options.Preset = None,
    model: options.ModelName = options.MODEL,
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the masks, and go on with those an interrupted run has left.")
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Score a model, or masks that any program wrote, on a benchmark, beside the first box and mask held still.

    Writes report.html, report.json and the official CSV files into DIR, by default BENCHMARK_eval.
    """
    from vossegment.cli.asked import Asked
    from vossegment.cli.evaluate_compare import check_reports, compare_reports
    from vossegment.cli.evaluate_jumpcut import evaluate_jumpcut
    from vossegment.cli.evaluate_masks import evaluate_masks
    from vossegment.cli.evaluate_vot import evaluate_vot
    from vossegment.data.folders import plain
    from vossegment.evaluation.benchmarks import BENCHMARKS
    from vossegment.evaluation.report_file import check_folder
    from vossegment.evaluation.vot.measures import INTERVALS

    kinds = {
        **dict.fromkeys(BENCHMARKS, evaluate_masks),
        "jumpcut": evaluate_jumpcut,
        **dict.fromkeys(INTERVALS, evaluate_vot),
    }
    if benchmark not in kinds:
        raise InputError(one_of("benchmark", benchmark, kinds))
    if (rotated is not None or representation or toolkit) and benchmark not in INTERVALS:
        raise InputError("--rotated, --representation and --toolkit are for vot2016 and vot2018")
    kind = options.rotated_kind(rotated)
    others = [*(compare or []), *(more or [])]
    if more and not compare:
        raise InputError(f"'{more[0]}': reports are taken by --compare alone")
    if data is None:
        if not others:
            raise InputError("--data DIR is missing: where the data set lies")
        for path in compare_reports(benchmark, others, out, quiet=quiet):
            if quiet:
                print(path)
        return
    if representation and others:
        raise InputError("--representation has no numbers that papers could stand beside; leave --compare out")
    check_reports(benchmark, others)
    if resume and benchmark not in BENCHMARKS:
        raise InputError(f"--resume is not for {benchmark}")
    if submission and (benchmark not in BENCHMARKS or BENCHMARKS[benchmark].packed_in is None):
        raise InputError(f"{benchmark} has no server that takes submissions")
    if zip_folder and not plain(zip_folder):
        raise InputError(f"folder '{zip_folder}' in the zip file: wanted a plain name")
    if benchmark not in BENCHMARKS:
        given = {"--skip": skip, "--split": split, "--zip-folder": zip_folder}
        for option, value in given.items():
            if value is not None or (option == "--skip" and all_frames):
                raise InputError(f"{option} is not for {benchmark}")
    if start not in _STARTS:
        raise InputError(one_of("start", start, _STARTS))
    if all_frames and skip is not None:
        raise InputError("--all-frames and --skip exclude each other")
    folder = out or Path(f"{benchmark}_eval")
    check_folder(folder, overwrite or resume, "submission.zip")
    check_folder(folder, overwrite)
    asked = Asked(
        benchmark=benchmark,
        data=data,
        results=results,
        split=split,
        only=_names(sequences),
        start=_STARTS[start],
        skip=() if all_frames else None if skip is None else _names(skip),
        save_masks=save_masks,
        submission=submission,
        zip_folder=zip_folder,
        preset=preset,
        model=model,
        weights=weights,
        device=device,
        precision=precision,
        threads=threads,
        rotated=kind,
        representation=representation,
        toolkit=toolkit,
        seed=seed,
        out=folder,
        overwrite=overwrite,
        resume=resume,
        quiet=quiet,
    )
    paths = kinds[benchmark](asked)
    if others:
        paths += compare_reports(benchmark, [paths[0], *others], folder, quiet=quiet)
    if quiet:
        print(*paths, sep="\n")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
