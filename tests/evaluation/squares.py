"""Label maps of a square each, as arrays and as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vossegment.data.sequence import ArraySequence, FileSequence
from vossegment.evaluation.benchmarks import BENCHMARKS
from vossegment.tracking.types import LabelMap

ONE = BENCHMARKS["davis2016"]
EACH = BENCHMARKS["davis2017"]


def square(left: int, label: int = 1, size: tuple[int, int] = (20, 30)) -> LabelMap:
    labels = np.zeros(size, dtype=np.uint8)
    labels[8:12, left : left + 4] = label
    return labels


def save(path: Path, labels: np.ndarray, mode: str = "P") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels)
    if mode == "P":
        picture.putpalette(bytes(range(256)) * 3)
    picture.save(path)


def array_sequence(name: str, maps: list[LabelMap]) -> ArraySequence:
    images = tuple(np.zeros((*labels.shape, 3), dtype=np.uint8) for labels in maps)
    return ArraySequence(name, images, tuple(maps), {1: 0})


def squares(root: Path, names: tuple[str, ...] = ("b", "a"), frames: int = 5) -> tuple[list[FileSequence], Path]:
    """Sequences with a square that stands still, and results in which it moves a pixel a frame."""
    sequences = []
    for name in names:
        paths = tuple(root / "truth" / name / f"{index:05d}.png" for index in range(frames))
        for index, path in enumerate(paths):
            save(path, square(8))
            save(root / "results" / name / path.name, square(8 + index))
        images = tuple(root / "images" / name / f"{path.stem}.jpg" for path in paths)
        sequences.append(FileSequence(name, images, paths, {1: 0}, merged=True))
    return sequences, root / "results"
