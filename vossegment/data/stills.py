"""Still images with masks: ``images/`` and ``masks/`` side by side, binary or one id an instance.

ROOT/images/NAME.jpg     any picture format
ROOT/masks/NAME.png      0 background, else the instance's id
"""

from __future__ import annotations

from pathlib import Path

from vossegment.data.sequence import FileSequence, FirstFrameObjects, Sequence
from vossegment.errors import DataError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def stills(root: Path) -> list[Sequence]:
    """One sequence of a single frame for each image that has a mask; sets within sets are found (``ROOT/*/images``).

    Raises DataError naming the file or the folder that is missing.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; wanted a folder with images/ and masks/ in it")
    folders = [root] if (root / "images").is_dir() else sorted(p.parent for p in root.glob("*/images"))
    if not folders:
        raise DataError(f"{root}: neither images/ and masks/ nor folders that hold them")
    found: list[Sequence] = []
    for folder in folders:
        for image in sorted((folder / "images").iterdir()):
            if image.suffix.lower() not in _SUFFIXES:
                continue
            mask = folder / "masks" / f"{image.stem}.png"
            if not mask.is_file():
                raise DataError(f"{mask}: missing; every image of {image.parent} needs its mask")
            found.append(FileSequence(f"{folder.name}/{image.stem}", (image,), (mask,), FirstFrameObjects(mask)))
    if not found:
        raise DataError(f"{root}: no images in it")
    return found
