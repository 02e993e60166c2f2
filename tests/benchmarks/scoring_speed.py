"""Scoring beside the official algorithm written down plainly, on the same files, in one run.

python tests/benchmarks/scoring_speed.py [--sequences 12] [--frames 60] [--objects 4] [--jobs 2] [--rounds 3]

Made sequences of 854x480: discs that move and change, results that are a little beside them. The plain program goes
the way of davis2017-evaluation, step by step, in one process: all masks of a sequence in stacks of float64, one an
object; J over whole stacks; F frame by frame over whole frames; void pixels taken out, though none are there. Both must
give the same numbers. The best of the rounds counts, and the plain program is told without its stacks, too.
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


def stacked(files: list[Path]) -> np.ndarray:
    """Masks ``(objects, frames, H, W)`` bool of label maps."""
    maps = np.zeros((len(files), HEIGHT, WIDTH))
    for place, file in enumerate(files):
        maps[place] = np.array(Image.open(file))
        maps[place, maps[place] == 255] = 0
    numbers = np.ones((int(maps[0].max()), *maps.shape))
    numbers *= np.arange(1, len(numbers) + 1)[:, None, None, None]
    return (numbers == maps[None]) > 0


def plain_regions(truth: np.ndarray, given: np.ndarray) -> np.ndarray:
    """J of one object's stacks ``(frames, H, W)``."""
    void = np.zeros_like(given)
    common = np.sum((given & truth) & np.logical_not(void), axis=(-2, -1))
    union = np.sum((given | truth) & np.logical_not(void), axis=(-2, -1))
    return np.where(union == 0, 1.0, common / np.maximum(union, 1))


def plain_contour(truth: np.ndarray, given: np.ndarray) -> float:
    """F of one object's masks in one frame."""
    void = np.zeros_like(given).astype(bool)
    return plain_f(truth * np.logical_not(void), given * np.logical_not(void))


def plainly(root: Path, names: list[str], *, stacks: bool) -> tuple[float, float]:
    """Means of J and F as the official program comes to them; or, without its ``stacks``, as simply as can be."""
    region, contour = [], []
    for name in names:
        files = sorted((root / "Annotations/480p" / name).iterdir())
        results = [root / "results" / name / file.name for file in files]
        if stacks:
            for truth, given in zip(stacked(files)[:, 1:-1], stacked(results[1:-1]), strict=True):
                region.append(np.mean(plain_regions(truth, given)))
                contour.append(np.mean([plain_contour(t, g) for t, g in zip(truth, given, strict=True)]))
            continue
        maps = [
            (np.array(Image.open(t)), np.array(Image.open(r))) for t, r in zip(files[1:-1], results[1:-1], strict=True)
        ]
        for number in range(1, int(maps[0][0].max()) + 1):
            pairs = [(true == number, given == number) for true, given in maps]
            region.append(np.mean([plain_j(*pair) for pair in pairs]))
            contour.append(np.mean([plain_f(*pair) for pair in pairs]))
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
        plain, seconds = timed(lambda: plainly(root, names, stacks=True), options.rounds)
        simple, simply = timed(lambda: plainly(root, names, stacks=False), options.rounds)
        assert np.allclose(simple, plain, rtol=0, atol=1e-12)
        masks = options.objects * options.sequences * (options.frames - 2)
        print(f"load {os.getloadavg()[0]:.2f}; {masks} masks of {WIDTH}x{HEIGHT}, {options.objects} a frame")
        print("| program | seconds | ms a mask | times plain |", "|---|---|---|---|", sep="\n")
        print(f"| plain, one process | {seconds:.2f} | {1000 * seconds / masks:.2f} | 1.0 |")
        print(f"| plain without stacks | {simply:.2f} | {1000 * simply / masks:.2f} | {seconds / simply:.1f} |")
        sequences = davis_sequences(root, "val", 2017, images=False)
        for jobs in sorted({1, options.jobs}):
            found, taken = timed(lambda jobs=jobs: score(sequences, root / "results", rule, jobs=jobs), options.rounds)
            assert np.allclose((found.region.mean, found.contour.mean), plain, rtol=0, atol=1e-12)
            print(f"| ours, jobs {jobs} | {taken:.2f} | {1000 * taken / masks:.2f} | {seconds / taken:.1f} |")


if __name__ == "__main__":
    main()
