"""What weights lose on samples made of held-out pictures, by the hundred: it tells apart what a few videos cannot.

python tests/benchmarks/held_out_losses.py guided_longer --set 'chains.lengths=((0,5),)' --data stills=DIR \\
    --holdout '*/*7' --weights OLD --weights NEW [--batches 40] [--seed 99]

The recipe's own samples and losses; the same samples for each file of weights. A row a file, and one for how far it is
from the first, with the standard error of that: samples differ more than networks do, and this takes it out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import default_collate

from vossegment.models import find
from vossegment.training.library import Library
from vossegment.training.recipes import RECIPES
from vossegment.training.recipes.fields import with_fields
from vossegment.training.sets import load_sets
from vossegment.training.tasks import task_of
from vossegment.weights.official import load_any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--set", action="append", default=[], dest="fields")
    parser.add_argument("--data", action="append", default=[], required=True)
    parser.add_argument("--holdout", required=True)
    parser.add_argument("--weights", action="append", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--seed", type=int, default=99)
    options = parser.parse_args()
    recipe = with_fields(RECIPES[options.recipe], options.fields)
    task, model = task_of(recipe), find(recipe.model)
    data = load_sets(options.data, tuple(options.holdout.split(",")))
    samples = task.samples(Library.load(data.held_out), options.seed)
    networks = [model.build().eval().requires_grad_(False) for _ in options.weights]
    for network, path in zip(networks, options.weights, strict=True):
        load_any(network, path, name=recipe.model, takes=model.takes)
    lost: list[list[Tensor]] = [[] for _ in networks]
    for first in range(0, options.batches * recipe.batch, recipe.batch):
        batch = default_collate([samples[first + i] for i in range(recipe.batch)])
        for found, network in zip(lost, networks, strict=True):
            losses = task.losses(network, batch, step=0, device=torch.device("cpu"))
            found.append(torch.stack([value.float() for value in losses.values()]))
    rows = torch.stack([torch.stack(found) for found in lost])  # (weights, batches, losses)
    print("|", " | ".join(["weights", *losses]), "|\n|---|" + "---|" * len(losses))
    for path, row in zip(options.weights, rows, strict=True):
        print("|", " | ".join([str(path), *(f"{v:.4f}" for v in row.mean(0))]), "|")
        if path != options.weights[0]:
            away = row - rows[0]
            errors = away.std(0) / len(away) ** 0.5
            print(
                "|", " | ".join(["", *(f"{a:+.4f} ±{e:.4f}" for a, e in zip(away.mean(0), errors, strict=True))]), "|"
            )


if __name__ == "__main__":
    main()
