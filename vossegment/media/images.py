"""Pictures as a source: one file, a folder, or a glob pattern, in natural order."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from vossegment.data.sequence import read_image
from vossegment.errors import DataError, InputError
from vossegment.media.source import Source
from vossegment.tracking.types import Frame, Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

RATE = Fraction(25)
"""Pictures carry no time; they are taken as 25 a second."""


class ImageSource(Source):
    """The pictures ``paths``, in that order, all of one size. EXIF orientation is honoured.

    Raises InputError, naming the file, where one cannot be read or has another size than the first: from the
    headers at once, from the pixels while iterating.
    """

    def __init__(self, paths: Sequence[Path], path: str, name: str) -> None:
        if not paths:
            raise InputError(f"{path}: no images in it; wanted {_wanted()}")
        first = _read(paths[0])
        height, width = first.shape[:2]
        super().__init__(
            path=path,
            name=name,
            width=width,
            height=height,
            frames=len(paths),
            duration=float(len(paths) / RATE),
            rate=RATE,
        )
        self._paths = tuple(paths)
        self._open = True
        for other in self._paths[1:]:
            self._check(other, *_stored_size(other), turned_too=True)

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths):
            if not self._open:
                return
            image = _read(path)
            self._check(path, image.shape[1], image.shape[0])
            yield Frame(index, float(index / RATE), image)

    def close(self) -> None:
        self._open = False

    def _check(self, path: Path, width: int, height: int, turned_too: bool = False) -> None:
        sizes = [(width, height), (height, width)] if turned_too else [(width, height)]
        if (self.width, self.height) not in sizes:
            raise InputError(
                f"{path}: {width}x{height}, but {self._paths[0].name} is {self.width}x{self.height}; "
                "all images of a source must have one size"
            )


def open_images(where: str | Path) -> ImageSource:
    """The image file, folder of images or glob pattern ``where`` as a source.

    Raises InputError where nothing matches, no image is among it, one is unreadable or the sizes differ.
    """
    path = Path(where)
    if path.is_dir():
        return ImageSource(_pictures(path.iterdir()), str(where), path.resolve().name)
    if path.is_file():
        return ImageSource([path], str(where), path.stem)
    # Path.glob takes no absolute pattern.
    matched = [Path(match) for match in glob.glob(str(where), recursive=True)]  # noqa: PTH207
    if not matched:
        raise InputError(f"{where}: no such file; nothing matches the pattern")
    return ImageSource(_pictures(matched), str(where), _pattern_name(path))


def _pictures(paths: Iterator[Path] | Sequence[Path]) -> list[Path]:
    # Names that start with a dot are other programs' notes (macOS writes ._name.jpg beside name.jpg).
    chosen = (p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted((p for p in chosen if p.is_file()), key=_natural)


def _natural(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Sort key: runs of digits by value (2 before 10), the rest by letter."""
    parts = re.split(r"(\d+)", str(path))
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)


def _pattern_name(pattern: Path) -> str:
    fixed = [part for part in pattern.parent.parts if not glob.has_magic(part)]
    return (Path(*fixed) if fixed else Path()).resolve().name


def _stored_size(path: Path) -> tuple[int, int]:
    try:
        with PillowImage.open(path) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError):
        raise InputError(_unreadable(path)) from None


def _read(path: Path) -> Image:
    _stored_size(path)  # OpenCV chatters on stderr over what is no picture at all; Pillow does not
    try:
        return read_image(path)
    except DataError:
        raise InputError(_unreadable(path)) from None


def _unreadable(path: Path) -> str:
    return f"{path}: not a readable image; replace it or take it out"


def _wanted() -> str:
    return " ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
