"""``vossegment train``: run a recipe."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vossegment.cli import options
from vossegment.cli.progress import Meter
from vossegment.errors import InputError, one_of

if TYPE_CHECKING:
    from vossegment.training.engine import Progress

NAME = "train"
EPILOG = options.examples(
    "vossegment train guided --data davis=DAVIS --data stills=STILLS --minutes 60",
    "vossegment train guided --data davis=DAVIS --data stills=STILLS --resume",
)


def command(
    recipe: Annotated[
        str,
        typer.Argument(help="guided, guided_mobilenet_v2, e3sn, e3sn_small, siammask, siammask_2b, siamrpn or siamfc."),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", metavar="SET=DIR", help="davis=DIR, davis2017=DIR or stills=DIR; may stand several times."
        ),
    ] = None,
    holdout: Annotated[
        str,
        typer.Option(
            "--holdout", metavar="LIST", help="Sequences not trained on but scored at the end; * and ? fit many."
        ),
    ] = "",
    trunk: Annotated[
        Path | None,
        typer.Option(
            "--trunk", metavar="FILE", help="ImageNet weights of the trunk (safetensors); default: downloads them."
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            "--init",
            metavar="FILE",
            help="Go on from these weights of the recipe's model, or SiamMask's own, at step 0 of its last stage.",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change a field of the recipe: steps=500, pairs.positives=4, before.steps=500 of the stage before; "
            "stage=NAME trains one stage alone. May stand several times.",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.0, help="Stop after this long; --resume goes on.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's checkpoint.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that make samples.")] = 1,
    device: options.Device = "auto",
    threads: options.Threads = None,
    out: options.Out = None,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train a model by a recipe, in bfloat16 where the hardware has it.

    Writes checkpoint.pt, log.jsonl and weights.safetensors into DIR, by default runs/RECIPE; a stage that a recipe
    builds on has a folder of its own there.
    """
    from vossegment.training.recipes import RECIPES
    from vossegment.training.recipes.fields import with_fields

    if recipe not in RECIPES:
        raise InputError(one_of("recipe", recipe, RECIPES))
    import torch

    from vossegment.runtime.prepare import choose_device
    from vossegment.training.run import Settings, check_out, stages, train
    from vossegment.training.sets import load_sets

    alone = [text.removeprefix("stage=") for text in assignments or [] if text.startswith("stage=")]
    chosen = with_fields(RECIPES[recipe], [text for text in assignments or [] if not text.startswith("stage=")])
    folder = out or Path("runs") / recipe
    check_out(folder, resume, chosen)
    sets = load_sets(data or [], tuple(name.strip() for name in holdout.split(",") if name.strip()))
    settings = Settings(folder, trunk, init, choose_device(device), seed, minutes, workers, resume)
    if threads:
        torch.set_num_threads(threads)
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    plan = stages(chosen, settings)
    for name in alone:
        known = [stage.name for stage, _ in plan]
        if name not in known:
            raise InputError(one_of("stage", name, known))
        plan = [(stage, of_stage) for stage, of_stage in plan if stage.name == name]
    for stage, of_stage in plan:
        left = None if ends is None else max(0.0, ends - time.monotonic()) / 60
        meter = Meter(stage.name, stage.steps, "steps", quiet=quiet)
        told = partial(_show, meter)
        outcome = train(stage, sets, replace(of_stage, minutes=left), on_progress=told, say=meter.say, running=meter)
        if not outcome.finished:
            break
    if not quiet:
        scores = outcome.held_out
        for name, value in scores.videos.items():
            print(f"held out: {name} J {100 * value:.1f}", file=sys.stderr)
        if scores.videos:
            print(f"held out: mean J {100 * scores.mean:.1f} over {len(scores.videos)} sequences", file=sys.stderr)
        if scores.stills:
            share = f"{100 * scores.first_masks:.1f}"
            print(f"held out: first mask from a box, IoU {share} over {scores.stills} objects", file=sys.stderr)
        if not outcome.finished:
            print(f"stopped at step {outcome.step} of {stage.steps} of {stage.name}; --resume goes on", file=sys.stderr)
    print(outcome.weights)


def _show(meter: Meter, progress: Progress) -> None:
    parts = " ".join(f"{k} {v:.3f}" for k, v in progress.losses.items())
    meter.begin_at(progress.first)
    meter.advance(progress.step - meter.done, f"{progress.samples_per_second:.1f} samples/s {parts}")
