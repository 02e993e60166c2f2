"""What feeds a training run and what it feeds: samples a second of the loader alone, and of the network alone.

python tests/benchmarks/training_speed.py RECIPE --data davis=DIR --data stills=DIR [--step 5000] [--batches 20]

The loader makes the batches from `--step` on, as a run would that has come so far; the network learns the first of
them again and again. A run goes at the pace of the slower of the two, where each has processors of its own.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from vossegment.models import find
from vossegment.training.engine import Trainer
from vossegment.training.library import Library
from vossegment.training.recipes import RECIPES
from vossegment.training.sets import load_sets
from vossegment.training.tasks import task_of


def seconds(work: Callable[[], Any]) -> float:
    """How long ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--data", action="append", default=[], required=True)
    parser.add_argument("--step", type=int, default=0)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = RECIPES[options.recipe]
    print(f"load {os.getloadavg()[0]:.2f} before, {os.cpu_count()} processors, {options.threads} threads")
    task = task_of(recipe)
    samples = task.samples(Library.load(load_sets(options.data, ()).sequences), 0)
    first = options.step * recipe.batch
    part = Subset(samples, range(first, first + (options.batches + 1) * recipe.batch))
    batches = iter(
        DataLoader(part, recipe.batch, num_workers=options.workers, prefetch_factor=1 if options.workers else None)
    )
    batch = next(batches)  # its worker has started
    count = options.batches * recipe.batch
    print(f"loader alone: {count / seconds(lambda: list(batches)):.1f} samples/s, {options.workers} workers")
    trainer = Trainer(find(recipe.model).build(), recipe, task, device=torch.device("cpu"), seed=0)
    trainer.step = options.step
    trainer._rates()
    trainer._step(batch)
    taken = seconds(lambda: [trainer._step(batch) for _ in range(options.batches)])
    print(f"network alone: {count / taken:.1f} samples/s")


if __name__ == "__main__":
    main()
