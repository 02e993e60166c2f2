"""Scoring beside the official algorithm written down plainly, on the same files, in one run.

python tests/benchmarks/scoring_speed.py [--sequences 12] [--frames 60] [--objects 4] [--jobs 2] [--rounds 3]

Made sequences of 854x480: discs that move and change, results that are a little beside them. The plain program reads
all masks of a sequence into stacks, one an object, and measures over whole frames, in one process, as
davis2017-evaluation does. The best of the rounds counts, and both must give the same numbers.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from plain_measures import plain_f, plain_j

from vossegment.data.davis import davis_sequences
from vossegment.evaluation.benchmarks import find_benchmark
from vossegment.evaluation.scoring import score
from vossegment.writers.masks import write_labels

HEIGHT, WIDTH = 480, 854
Answer = TypeVar("Answer")


def drawn(frame: int, objects: int, seed: int, beside: int) -> np.ndarray:
    """A label map of discs, each on its way; ``beside`` pixels off."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in range(1, objects + 1):
        random = np.random.default_rng((seed, number))
        x, y = random.uniform(150, WIDTH - 150), random.uniform(120, HEIGHT - 120)
        speed, axes = random.uniform(-2, 2, 2), random.uniform(40, 90, 2)
        place = (int(x + speed[0] * frame) + beside, int(y + speed[1] * frame))
        size = (int(axes[0] * (1 + 0.2 * np.sin(frame / 5))), int(axes[1]))
        cv2.ellipse(labels, place, size, 5.0 * frame, 0, 360, number, cv2.FILLED)
    return labels


def make(root: Path, sequences: int, frames: int, objects: int) -> list[str]:
    """Truth in the layout of DAVIS, and results."""
    names = [f"made{i}" for i in range(sequences)]
    for seed, name in enumerate(names):
        for folder in (root / "Annotations/480p" / name, root / "results" / name):
            folder.mkdir(parents=True)
        for i in range(frames):
            write_labels(root / f"Annotations/480p/{name}/{i:05d}.png", drawn(i, objects, seed, 0))
            write_labels(root / f"results/{name}/{i:05d}.png", drawn(i, objects, seed, 3))
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/val.txt").write_text("\n".join(names))
    return names


def plainly(root: Path, names: list[str]) -> tuple[float, float]:
    """Means of J and F as the official program comes to them."""
    region, contour = [], []
    for name in names:
        files = sorted((root / "Annotations/480p" / name).iterdir())[1:-1]
        truth = np.stack([np.array(Image.open(file)) for file in files])
        given = np.stack([np.array(Image.open(root / "results" / name / file.name)) for file in files])
        for number in range(1, int(truth[0].max()) + 1):
            true, predicted = truth == number, given == number
            region.append(np.mean([plain_j(a, b) for a, b in zip(true, predicted, strict=True)]))
            contour.append(np.mean([plain_f(a, b) for a, b in zip(true, predicted, strict=True)]))
    return float(np.mean(region)), float(np.mean(contour))


def timed(work: Callable[[], Answer], rounds: int) -> tuple[Answer, float]:
    """What ``work`` gives, and the quickest round's seconds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - began)
    return answer, best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=12)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--objects", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rule = find_benchmark("davis2017")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = make(root, options.sequences, options.frames, options.objects)
        cv2.setNumThreads(1)
        plain, seconds = timed(lambda: plainly(root, names), options.rounds)
        masks = options.objects * options.sequences * (options.frames - 2)
        print(f"load {os.getloadavg()[0]:.2f}; {masks} masks of {WIDTH}x{HEIGHT}, {options.objects} a frame")
        print("| program | seconds | ms a mask | times plain |", "|---|---|---|---|", sep="\n")
        print(f"| plain, one process | {seconds:.2f} | {1000 * seconds / masks:.2f} | 1.0 |")
        sequences = davis_sequences(root, "val", 2017, images=False)
        for jobs in sorted({1, options.jobs}):
            found, taken = timed(lambda jobs=jobs: score(sequences, root / "results", rule, jobs=jobs), options.rounds)
            assert np.allclose((found.region.mean, found.contour.mean), plain, rtol=0, atol=1e-12)
            print(f"| ours, jobs {jobs} | {taken:.2f} | {1000 * taken / masks:.2f} | {seconds / taken:.1f} |")


if __name__ == "__main__":
    main()
