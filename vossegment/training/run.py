"""A training run from data to a weights file: what ``vossegment train`` does."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch

from vossegment import __version__
from vossegment.errors import OutputError
from vossegment.evaluation.benchmarks import check_sequence, find_benchmark, score_sequence
from vossegment.models import find
from vossegment.networks.e3sn import E3SN
from vossegment.pipeline import first_boxes, segment
from vossegment.runtime.prepare import choose_precision, prepare
from vossegment.tracking.siamese import SiameseTracker
from vossegment.training.clips import ClipMaker
from vossegment.training.engine import Progress, Trainer
from vossegment.training.library import Library
from vossegment.training.pairs import PairDataset
from vossegment.training.recipes.e3sn import Recipe
from vossegment.training.sets import TrainingData
from vossegment.weights.imagenet import load_imagenet
from vossegment.weights.load import load_weights, save_weights
from vossegment.whole_files import written_whole

RULE = find_benchmark("davis2016")
"""How held-out sequences are scored."""


@dataclass(frozen=True)
class Settings:
    """What a run depends on besides recipe and data."""

    out: Path
    trunk: Path | None
    init: Path | None
    """A weights file of the recipe's model to go on from, instead of an ImageNet trunk."""
    device: torch.device
    seed: int = 0
    minutes: float | None = None
    workers: int = 1
    resume: bool = False


@dataclass(frozen=True)
class Outcome:
    """``finished``: the recipe's last step is done. ``held_out`` J by sequence; ``weights`` the file written."""

    finished: bool
    step: int
    held_out: Mapping[str, float]
    weights: Path


def check_out(out: Path, resume: bool) -> None:
    """Raises OutputError unless ``out`` can take this run: new, or a checkpoint there and ``resume``."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: a file, wanted a folder for the run")
    there = (out / "checkpoint.pt").is_file()
    if there and not resume:
        raise OutputError(f"{out}: holds a run already; give --resume to go on with it, or another --out")
    if resume and not there:
        raise OutputError(f"{out}: no checkpoint.pt to resume from")


def fingerprint(data: TrainingData) -> str:
    """What is trained on, and what is not, by name."""
    names = json.dumps([sorted(s.name for s in part) for part in (data.sequences, data.held_out)])
    return hashlib.sha256(names.encode()).hexdigest()


def keep_log(path: Path, step: int) -> None:
    """Drops the lines of steps that the checkpoint does not know, so that each step stands once."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        with written_whole(path) as part:
            part.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def held_out_scores(network: E3SN, recipe: Recipe, data: TrainingData, device: torch.device) -> dict[str, float]:
    """J mean (DAVIS-2016 rule) of each held-out sequence, started from the first box."""
    precision = choose_precision("auto", device)
    prepared: Any = prepare(copy.deepcopy(network), device, precision)
    tracker = SiameseTracker(prepared, find(recipe.model).settings, device=device)
    return {s.name: score_sequence(s, segment(s, tracker), RULE).region.mean for s in data.held_out}


def train(
    recipe: Recipe,
    data: TrainingData,
    settings: Settings,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    running: AbstractContextManager[object] | None = None,
) -> Outcome:
    """Trains, writing ``checkpoint.pt`` (resumable), ``log.jsonl`` and ``weights.safetensors`` into ``settings.out``.

    Raises OutputError, DataError and WeightsError as its parts do.
    """
    check_out(settings.out, settings.resume)
    for sequence in data.held_out:  # what cannot be scored is told now, not after the training
        check_sequence(sequence, RULE)
        first_boxes(sequence)
    torch.manual_seed(settings.seed)
    network = cast(E3SN, find(recipe.model).build())
    trainer = Trainer(network, recipe, device=settings.device, seed=settings.seed, data=fingerprint(data))
    checkpoint = settings.out / "checkpoint.pt"
    if settings.resume:
        trainer.resume(checkpoint)
        keep_log(settings.out / "log.jsonl", trainer.step)
    elif settings.init is not None:
        trainer.origin = load_weights(network, settings.init, name=recipe.model).sha256
        trainer.restart_average()
    else:
        trainer.origin = load_imagenet(network.trunk, settings.trunk)
        trainer.restart_average()
    library = Library.load(data.sequences)
    say(
        f"{recipe.name}: {len(library.videos)} objects in video, {len(library.stills)} in stills, "
        f"held out {len(data.held_out)}; trunk from {trainer.origin}; "
        f"steps {trainer.step} to {recipe.steps} of {recipe.batch} pairs"
    )
    say(json.dumps(asdict(recipe)))
    pairs = PairDataset(
        ClipMaker(library, recipe.mix), recipe.pairs, pairs=recipe.steps * recipe.batch, seed=settings.seed
    )
    settings.out.mkdir(parents=True, exist_ok=True)
    with (settings.out / "log.jsonl").open("a" if settings.resume else "w", encoding="utf-8") as log:

        def record(progress: Progress) -> None:
            log.write(json.dumps(asdict(progress)) + "\n")
            log.flush()
            on_progress(progress)

        with running or nullcontext():
            finished = trainer.run(
                pairs,
                minutes=settings.minutes,
                workers=settings.workers,
                on_progress=record,
                on_checkpoint=lambda: trainer.save(checkpoint),
            )
    weights = settings.out / "weights.safetensors"
    about: dict[str, Any] = {
        "recipe": asdict(recipe),
        "seed": settings.seed,
        "steps": trainer.step,
        "hours": round(trainer.seconds / 3600, 2),
        "trunk": trainer.origin,
        "program": f"vossegment {__version__}",
    }
    save_weights(trainer.average, weights, name=recipe.model, about=about)
    scores = held_out_scores(trainer.average, recipe, data, settings.device)
    save_weights(trainer.average, weights, name=recipe.model, about={**about, "held_out": scores})
    return Outcome(finished, trainer.step, scores, weights)
