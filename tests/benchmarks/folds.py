"""What a recipe and a model's settings are worth on every training video, each held out once.

python tests/benchmarks/folds.py guided --data davis=DIR --data stills=DIR --trunk FILE --out runs/folds \\
    [--folds 5] [--set steps=1500] [--holdout LIST] [--row most_jump=8]

Trains the recipe once a fold, without every fifth video (and never on LIST), and scores these from their first boxes
(J, DAVIS-2017 rule): by the model's settings and by those of each `--row`. Stopped, the same line goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence as ListOf
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from choices import changed

from vossegment.models import load
from vossegment.runtime.prepare import choose_device
from vossegment.training.held_out import score_held_out
from vossegment.training.recipes import RECIPES, Recipe
from vossegment.training.recipes.fields import with_fields
from vossegment.training.run import Settings, stages, train
from vossegment.training.sets import TrainingData, load_sets

_FINISHED = "finished"


def without_every(data: TrainingData, fold: int, folds: int) -> TrainingData:
    """``data`` with videos ``fold``, ``fold + folds``, ... by name held out, and nothing else scored."""
    names = sorted(s.name for s in data.sequences if len(s) > 1)[fold::folds]
    held = tuple(s for s in data.sequences if s.name in names)
    return replace(data, sequences=tuple(s for s in data.sequences if s.name not in names), held_out=held)


def trained(recipe: Recipe, data: TrainingData, settings: Settings) -> Path:
    """Weights of the recipe, its stages one after another, each gone on with where it was."""
    for stage, own in stages(recipe, settings):
        there = (own.out / "checkpoint.pt").is_file()
        outcome = train(stage, data, replace(own, resume=there), say=print)
    (settings.out / _FINISHED).touch()
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
    parser.add_argument("--trunk", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--row", action="append", default=[])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = with_fields(RECIPES[options.recipe], options.set)
    data = load_sets(options.data, tuple(name for name in options.holdout.split(",") if name))
    rows: dict[str, dict[str, float]] = {row or "as it is": {} for row in ("", *options.row)}
    for fold in range(options.folds):
        part, out = without_every(data, fold, options.folds), options.out / f"fold{fold}"
        settings = Settings(out, options.trunk, None, choose_device(options.device))
        done = (out / _FINISHED).is_file()
        weights = out / "weights.safetensors" if done else trained(recipe, part, settings)
        for row, found in rows.items():
            tracker = load(recipe.model, weights=weights, settings=None if row == "as it is" else changed(row))
            found.update(score_held_out(part.held_out, tracker).videos)
        scored = sorted(next(iter(rows.values())))
        print(table(scored, rows), flush=True)


if __name__ == "__main__":
    main()
