"""A training run from data to a weights file: what ``vossegment train`` does."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from vossegment import __version__
from vossegment.data.sequence import Sequence
from vossegment.errors import OutputError
from vossegment.models import find
from vossegment.networks.trunk import Trunk
from vossegment.runtime.prepare import choose_precision, prepare
from vossegment.tracking.types import LabelMap
from vossegment.training.engine import Progress, Trainer
from vossegment.training.held_out import HeldOut, check_held_out, score_held_out
from vossegment.training.library import Library
from vossegment.training.recipes import Recipe
from vossegment.training.sets import TrainingData
from vossegment.training.sheets import sample_sheet, strips, write_sheet
from vossegment.training.tasks import task_of
from vossegment.weights.imagenet import load_imagenet
from vossegment.weights.load import save_weights
from vossegment.weights.official import load_any, model_of
from vossegment.whole_files import written_whole

_CHECKPOINT, _WEIGHTS, _LOG = "checkpoint.pt", "weights.safetensors", "log.jsonl"
_SHOWN = 24
"""Samples on the sheet: the very first ones."""


@dataclass(frozen=True)
class Settings:
    """What a run depends on besides recipe and data."""

    out: Path
    trunk: Path | None
    init: Path | None
    """Weights of the recipe's model, or an official checkpoint, to go on from, instead of an ImageNet trunk."""
    device: torch.device
    seed: int = 0
    minutes: float | None = None
    workers: int = 1
    resume: bool = False
    log: Path | None = None
    """Where the log is kept, if not in ``out``: the stages of one run share it."""


@dataclass(frozen=True)
class Outcome:
    """``finished``: the recipe's last step is done. ``weights``: the file written."""

    finished: bool
    step: int
    held_out: HeldOut
    weights: Path


def check_out(out: Path, resume: bool, recipe: Recipe | None = None) -> None:
    """Raises OutputError unless ``out`` can take this run: new, or a checkpoint there, the recipe's own or that of a
    stage before it, and ``resume``."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: a file, wanted a folder for the run")
    there = (out / _CHECKPOINT).is_file()
    while not there and recipe is not None and recipe.before is not None:
        out, recipe = out / recipe.before.name, recipe.before
        there = (out / _CHECKPOINT).is_file()
    if there and not resume:
        raise OutputError(f"{out}: holds a run already; give --resume to go on with it, or another --out")
    if resume and not there:
        raise OutputError(f"{out}: no {_CHECKPOINT} to resume from")


def fingerprint(data: TrainingData) -> str:
    """What is trained on, and what is not, by name."""
    names = json.dumps([sorted(s.name for s in part) for part in (data.sequences, data.held_out)])
    return hashlib.sha256(names.encode()).hexdigest()


def keep_log(path: Path, stage: str, step: int) -> None:
    """Drops a stage's lines of steps that its checkpoint does not know, so that each step stands once."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        told = [(line, json.loads(line)) for line in lines]
        kept = [line for line, said in told if said.get("stage", stage) != stage or said["step"] <= step]
        with written_whole(path) as part:
            part.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _score(network: nn.Module, recipe: Recipe, data: TrainingData, settings: Settings) -> HeldOut:
    """Scores on what was held out; ``predictions.png`` shows it."""
    device = settings.device
    prepared = prepare(copy.deepcopy(network), device, choose_precision("auto", device))
    shown: list[tuple[Sequence, list[LabelMap]]] = []
    tracker = find(recipe.model).tracker(prepared, device)
    scores = score_held_out(data.held_out, tracker, lambda sequence, labels: shown.append((sequence, labels)))
    if shown:
        write_sheet(settings.out / "predictions.png", strips(shown))
    return scores


def load_stage(network: nn.Module, path: Path, recipe: Recipe) -> str:
    """Fills ``network`` from weights of its own kind, or of the stage before, whose parts it has all and more: a part
    that is such a network itself begins as a copy. Says which file it was. Raises WeightsError for any other."""
    before = recipe.before
    if before is None or before.model == recipe.model or model_of(path) != before.model:
        return load_any(network, path, name=recipe.model, takes=find(recipe.model).takes).sha256
    smaller = find(before.model).build()
    found = load_any(smaller, path, name=before.model)
    network.load_state_dict({**network.state_dict(), **smaller.state_dict()})
    for part in network.children():
        if type(part) is type(smaller):
            part.load_state_dict(smaller.state_dict())
    return found.sha256


def stages(recipe: Recipe, settings: Settings) -> list[tuple[Recipe, Settings]]:
    """What is to be trained one after another: the recipe, and what it builds on first, in a folder of its own."""
    before = recipe.before
    if before is None or settings.init is not None or (settings.out / _CHECKPOINT).is_file():
        return [(recipe, settings)]
    folder, log = settings.out / before.name, settings.log or settings.out / _LOG
    first = replace(settings, out=folder, log=log, resume=(folder / _CHECKPOINT).is_file())
    second = replace(settings, init=folder / _WEIGHTS, log=log, resume=False)
    return [*stages(before, first), (recipe, second)]


def train(
    recipe: Recipe,
    data: TrainingData,
    settings: Settings,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    running: AbstractContextManager[object] | None = None,
) -> Outcome:
    """Trains, writing ``checkpoint.pt`` (resumable), ``log.jsonl`` and ``weights.safetensors`` into ``settings.out``,
    and pictures to look at: ``samples.png``, ``predictions.png``.

    Raises OutputError, DataError and WeightsError as its parts do.
    """
    if settings.log is None:  # of several stages, the first was checked for all
        check_out(settings.out, settings.resume)
    check_held_out(data.held_out)
    seed = settings.seed + recipe.stages_before  # a stage sees other samples than the one before
    torch.manual_seed(seed)
    network = find(recipe.model).build()
    task = task_of(recipe)
    trainer = Trainer(network, recipe, task, device=settings.device, seed=seed, data=fingerprint(data))
    checkpoint, log_file = settings.out / _CHECKPOINT, settings.log or settings.out / _LOG
    if settings.resume:
        trainer.resume(checkpoint)
    elif settings.init is not None:
        trainer.origin = load_stage(network, settings.init, recipe)
        trainer.restart_average()
    else:
        trainer.origin = load_imagenet(cast(Trunk, network.trunk), settings.trunk)
        trainer.restart_average()
    library = Library.load(data.sequences)
    say(
        f"{recipe.name}: {len(library.videos)} objects in video, {len(library.stills)} in stills, "
        f"held out {len(data.held_out)}; trunk from {trainer.origin}; "
        f"steps {trainer.step} to {recipe.steps} of {recipe.batch} samples"
    )
    say(json.dumps(asdict(recipe)))
    samples = task.samples(library, seed)
    write_sheet(settings.out / "samples.png", sample_sheet(samples, range(_SHOWN)))
    if settings.resume or settings.log is not None:
        keep_log(log_file, recipe.name, trainer.step)
    else:
        log_file.unlink(missing_ok=True)
    with log_file.open("a", encoding="utf-8") as log:

        def record(progress: Progress) -> None:
            log.write(json.dumps({"stage": recipe.name, **asdict(progress)}) + "\n")
            log.flush()
            on_progress(progress)

        with running or nullcontext():
            finished = trainer.run(
                samples,
                minutes=settings.minutes,
                workers=settings.workers,
                on_progress=record,
                on_checkpoint=lambda: trainer.save(checkpoint),
            )
    weights = settings.out / _WEIGHTS
    about: dict[str, Any] = {
        "recipe": asdict(recipe),
        "seed": settings.seed,
        "steps": trainer.step,
        "hours": round(trainer.seconds / 3600, 2),
        "trunk": trainer.origin,
        "program": f"vossegment {__version__}",
    }
    save_weights(trainer.average, weights, name=recipe.model, about=about)
    scores = _score(trainer.average, recipe, data, settings)
    save_weights(trainer.average, weights, name=recipe.model, about={**about, "held_out": scores.summary()})
    return Outcome(finished, trainer.step, scores, weights)
