"""Tiny data sets in the layouts of the real ones: a square a clip that moves a pixel a frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vossegment.tracking.types import LabelMap
from vossegment.writers.masks import write_labels

HEIGHT, WIDTH = 40, 60


def square(left: int, top: int = 14, label: int = 1, side: int = 8) -> LabelMap:
    """A label map with one square."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[top : top + side, left : left + side] = label
    return labels


def write_image(path: Path, labels: LabelMap) -> None:
    """A picture of the objects: bright where they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.where(labels[..., None] > 0, 40 + 60 * labels[..., None], 20).repeat(3, 2).astype(np.uint8)
    assert cv2.imwrite(str(path), picture)


def write_mask(path: Path, labels: LabelMap) -> None:
    """An indexed label map."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_labels(path, labels)


def write_binary(path: Path, mask: Any, value: int = 255) -> None:
    """A mask as a colour picture in black and white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), (np.asarray(mask, np.uint8) * value)[..., None].repeat(3, 2))


def youtube(root: Path, split: str = "valid", *, hidden: bool = True) -> dict[str, list[LabelMap]]:
    """Two videos of six frames: ``late`` with an object that enters at the third, of another category, and ``plain``.
    Truth by video; ``hidden``: only where an object enters it lies there, and there alone."""
    truth = {
        "late": [square(5 + i) + (square(40 - i, 2, 2) if i >= 2 else 0) for i in range(6)],
        "plain": [square(9 + i) for i in range(6)],
    }
    objects: Mapping[str, Mapping[str, Any]] = {
        "late": {"1": ("dog", 0), "2": ("unicorn", 2)},
        "plain": {"1": ("dog", 0)},
    }
    meta: dict[str, Any] = {"videos": {}}
    for name, maps in truth.items():
        stems = [f"{5 * i:05d}" for i in range(6)]
        entries = {number: first for number, (_, first) in objects[name].items()}
        for i, (stem, labels) in enumerate(zip(stems, maps, strict=True)):
            write_image(root / split / "JPEGImages" / name / f"{stem}.jpg", labels)
            entering = [int(number) for number, first in entries.items() if first == i]
            if not hidden:
                write_mask(root / split / "Annotations" / name / f"{stem}.png", labels)
            elif entering:
                alone = np.where(np.isin(labels, entering), labels, 0).astype(np.uint8)
                write_mask(root / split / "Annotations" / name / f"{stem}.png", alone)
        meta["videos"][name] = {
            "objects": {
                number: {"category": kind, "frames": stems[first:]} for number, (kind, first) in objects[name].items()
            }
        }
    (root / split / "meta.json").write_text(json.dumps(meta))
    if split != "train":
        (root / "train").mkdir(exist_ok=True)
        known = {"videos": {"other": {"objects": {"1": {"category": "dog", "frames": ["00000"]}}}}}
        (root / "train" / "meta.json").write_text(json.dumps(known))
    return truth


def segtrack(root: Path) -> dict[str, list[LabelMap]]:
    """``one`` with a folder of masks, ``two`` with a folder an object; names and suffixes as irregular as the real."""
    truth = {
        "one": [square(5 + i) for i in range(4)],
        "two": [square(5 + i) + square(40, 2 + i, 2) for i in range(4)],
    }
    for i in range(4):
        write_image(root / f"JPEGImages/one/one_{i + 1:03d}.bmp", truth["one"][i])
        write_binary(root / f"GroundTruth/one/one_{i + 1:03d}.png", truth["one"][i])
        write_image(root / f"JPEGImages/two/{i:05d}.png", truth["two"][i])
        write_binary(root / f"GroundTruth/two/1/{i:05d}.png", truth["two"][i] == 1)
        write_binary(root / f"GroundTruth/two/2/{i:05d}.bmp", truth["two"][i] == 2, value=200)
    return truth


def jumpcut(root: Path, frames: int = 40) -> list[LabelMap]:
    """One clip, ``slide``."""
    truth = [square(2 + i) for i in range(frames)]
    for i, labels in enumerate(truth):
        write_image(root / f"ANIMAL/slide/{i:04d}.png", labels)
        write_binary(root / f"ANIMAL/slide_masks/{i:04d}.png", labels)
    (root / "list.txt").write_text("slide, ANIMAL/slide/*.png, ANIMAL/slide_masks/%04d.png\n")
    return truth
