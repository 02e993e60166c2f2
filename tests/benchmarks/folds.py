"""What a recipe and a model's settings are worth on training videos that are held out, each once.

python tests/benchmarks/folds.py guided_first --data davis=DIR --data stills=DIR --trunk FILE --out runs/folds \\
    [--folds 5] [--fold 0] [--set steps=1500] [--holdout LIST] [--always LIST] [--row most_jump=8]

Trains the recipe once a fold, without every fifth video, and scores these from their first boxes (J, DAVIS-2017 rule):
by the model's settings and by those of each `--row`. `--holdout` names what no fold trains on, `--always` the videos
that every fold does. `--fold` takes one fold alone. Stopped, the same line goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence as ListOf
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from choices import changed

from vossegment.data.folders import fits
from vossegment.errors import DataError, InputError
from vossegment.models import load
from vossegment.runtime.prepare import choose_device
from vossegment.training.held_out import score_held_out
from vossegment.training.recipes import RECIPES, Recipe
from vossegment.training.recipes.fields import with_fields
from vossegment.training.run import Settings, fingerprint, stages, train
from vossegment.training.sets import TrainingData, load_sets

_FINISHED = "finished"


def without_every(data: TrainingData, fold: int, folds: int, always: ListOf[str] = ()) -> TrainingData:
    """``data`` with videos ``fold``, ``fold + folds``, ... by name held out, and nothing else scored. Those that fit a
    pattern of ``always`` are not counted; DataError where none fits it."""
    videos = [s.name for s in data.sequences if len(s) > 1]
    for pattern in always:
        if not any(fits(name, pattern) for name in videos):
            raise DataError(f"--always '{pattern}': no video of that name")
    names = sorted(name for name in videos if not any(fits(name, pattern) for pattern in always))[fold::folds]
    held = tuple(s for s in data.sequences if s.name in names)
    return replace(data, sequences=tuple(s for s in data.sequences if s.name not in names), held_out=held)


def trained(recipe: Recipe, data: TrainingData, settings: Settings) -> Path:
    """Weights of the recipe, its stages one after another, each gone on with where it was; those that are there, if
    they are of this recipe and data. Raises InputError where they are of another."""
    finished, what = settings.out / _FINISHED, json.dumps([asdict(recipe), fingerprint(data)])
    if finished.is_file():
        if finished.read_text() != what:
            raise InputError(f"{settings.out}: trained by another recipe, or on other data; give another --out")
        return settings.out / "weights.safetensors"
    for stage, own in stages(recipe, settings):
        there = (own.out / "checkpoint.pt").is_file()
        outcome = train(stage, data, replace(own, resume=there), say=print)
    finished.write_text(what)
    return outcome.weights


def table(names: ListOf[str], rows: dict[str, dict[str, float]]) -> str:
    """A line a video, a column a row of settings, the means at the end."""
    lines = [f"| video | {' | '.join(rows)} |", "|---|" + "---|" * len(rows)]
    for name in names:
        lines.append(f"| {name} | " + " | ".join(f"{100 * found[name]:.1f}" for found in rows.values()) + " |")
    means = [np.mean(list(found.values())) for found in rows.values()]
    return "\n".join([*lines, f"| **all {len(names)}** | " + " | ".join(f"**{100 * m:.1f}**" for m in means) + " |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--holdout", default="")
    parser.add_argument("--always", default="")
    parser.add_argument("--trunk", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold", type=int)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--row", action="append", default=[])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.fold is not None and not 0 <= options.fold < options.folds:
        parser.error(f"--fold {options.fold}: wanted 0 to {options.folds - 1}")
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = with_fields(RECIPES[options.recipe], options.set)
    held, always = (tuple(name for name in names.split(",") if name) for names in (options.holdout, options.always))
    data = load_sets(options.data, held)
    rows: dict[str, dict[str, float]] = {row or "as it is": {} for row in ("", *options.row)}
    for fold in range(options.folds) if options.fold is None else [options.fold]:
        part, out = without_every(data, fold, options.folds, always), options.out / f"fold{fold}"
        settings = Settings(out, options.trunk, None, choose_device(options.device))
        weights = trained(recipe, part, settings)
        for row, found in rows.items():
            tracker = load(recipe.model, weights=weights, settings=None if row == "as it is" else changed(row))
            found.update(score_held_out(part.held_out, tracker).videos)
        scored = sorted(next(iter(rows.values())))
        print(table(scored, rows), flush=True)


if __name__ == "__main__":
    main()
