"""SegTrack v2 as sequences.

    ROOT/
      JPEGImages/<sequence>/<frame>.png            png, bmp or jpg
      GroundTruth/<sequence>/<frame>.png           one object, or
      GroundTruth/<sequence>/<1..n>/<frame>.png    several: a picture in black and white for each

Images and masks belong together by their stems; suffixes differ. Grey values from 128 on are the object [ours].
"""

from __future__ import annotations

from collections.abc import Sequence as ListOf
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from vossegment.data.folders import IMAGE_SUFFIXES, Layout, selected, subfolders
from vossegment.data.sequence import FileSequence
from vossegment.errors import DataError
from vossegment.tracking.types import LabelMap

_OBJECT_FROM = 128


@dataclass(frozen=True)
class BinarySequence(FileSequence):
    """A sequence whose truth is a black and white picture an object: ``masks[id][frame]``. Where two overlap, the one
    of the higher number is on top."""

    masks: dict[int, tuple[Path, ...]] = field(default_factory=dict)

    def labels(self, index: int) -> LabelMap | None:
        labels: LabelMap | None = None
        for number, paths in self.masks.items():
            mask = read_grey(paths[index]) >= _OBJECT_FROM
            labels = np.zeros(mask.shape, np.uint8) if labels is None else labels
            if mask.shape != labels.shape:
                raise DataError(f"{paths[index]}: another size than the masks beside it")
            labels[mask] = number
        return labels


def read_grey(path: Path) -> LabelMap:
    """A picture's grey values ``(H, W)`` uint8. Raises DataError naming the file."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise DataError(f"{path}: not a readable picture")
    return grey.astype(np.uint8, copy=False)


def segtrack_sequences(
    root: Path, split: str = "all", *, images: bool = True, only: ListOf[str] = ()
) -> list[FileSequence]:
    """Every sequence by name, those that ``only`` names where it names any; the set has no splits but "all".

    ``images=False`` asks for the annotations only. Raises DataError naming the file and drawing the expected tree.
    """
    layout = Layout(
        root,
        "SegTrack v2",
        (
            "JPEGImages/<sequence>/<frame>.png ...",
            "GroundTruth/<sequence>/<frame>.png ... (one object)",
            "GroundTruth/<sequence>/<1..n>/<frame>.png ... (several)",
        ),
    )
    truth = layout.folder(root / "GroundTruth")
    if split != "all":
        raise layout.fault(root, f"no split '{split}': the set has only 'all'")
    names = subfolders(truth)
    if not names:
        raise layout.fault(truth, "holds no sequence")
    return [_sequence(layout, truth / name, root / "JPEGImages" / name, images) for name in selected(names, only)]


def _sequence(layout: Layout, truth: Path, pictures: Path, images: bool) -> BinarySequence:
    several = sorted((name for name in subfolders(truth) if name.isdecimal()), key=int)
    folders = {int(name): truth / name for name in several} or {1: truth}
    if not 1 <= min(folders) <= max(folders) < 255:
        raise layout.fault(truth, "its objects are not numbered from 1 to 254")
    masks = {number: layout.files(folder, IMAGE_SUFFIXES) for number, folder in folders.items()}
    if images or pictures.is_dir():
        found = layout.files(pictures, IMAGE_SUFFIXES)
    else:
        found = {stem: pictures / f"{stem}.png" for stem in next(iter(masks.values()))}
    for number, folder in folders.items():
        for stem in found:
            if stem not in masks[number]:
                raise layout.fault(folder / f"{stem}.png", "no such mask")
    return BinarySequence(
        name=truth.name,
        image_paths=tuple(found.values()),
        label_paths=tuple(next(iter(masks.values()))[stem] for stem in found),
        objects=dict.fromkeys(masks, 0),
        masks={number: tuple(paths[stem] for stem in found) for number, paths in masks.items()},
    )
