"""What to follow, as it is typed: ``--box``, ``--mask`` and ``--prompts``. Files are taken for hostile."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vossegment.errors import InputError
from vossegment.tracking.prompts import BoxPrompt, MaskPrompt, Prompt, masks_in, numbered
from vossegment.tracking.types import Box, LabelMap, Mask

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_MASK_BYTES = 64 << 20
_JSON_BYTES = 16 << 20
_ALL_MASKS = 512 << 20
"""Pixels of all masks together: they are held while the video runs."""
_EXAMPLE = '[{"id": 1, "frame": 0, "box": [x, y, w, h]}, {"id": 2, "frame": 45, "mask": "m.png"}]'


@dataclass
class Reader:
    """Reads prompts for a source of ``width`` x ``height`` and ``rate`` frames a second; holds those read so far.

    Every method raises InputError, with a line that says what is wrong in which file.
    """

    width: int
    height: int
    rate: Fraction | None
    files: list[Path] = field(default_factory=list, init=False)
    """The files read: nothing may be written over them."""
    _found: list[tuple[int | None, Prompt]] = field(default_factory=list, init=False)
    _pixels: int = field(default=0, init=False)

    @property
    def prompts(self) -> list[Prompt]:
        """All prompts read, in that order; the unnamed objects take the numbers that are free."""
        ids = numbered([number for number, _ in self._found])
        return [replace(prompt, id=number) for number, (_, prompt) in zip(ids, self._found, strict=True)]

    def box(self, text: str, form: str, relative: bool) -> None:
        """``[ID=]A,B,C,D[@WHEN]``, in fractions of the frame if ``relative``."""
        number, sides, when = parse_box(text)
        scale = (float(self.width), float(self.height)) if relative else (1.0, 1.0)
        start = frame_of(when, self.rate) if when else 0
        self._found.append((number, BoxPrompt(0, to_xywh(sides, form, scale), start)))

    def mask(self, text: str) -> None:
        """``FILE[@WHEN]``: every id of an indexed mask is an object of that number; a binary one is one object."""
        name, when = split_start(text)
        start = frame_of(when, self.rate) if when else 0
        labels = self._labels(Path(name), f"mask {name}")
        for number, mask in masks_in(labels):
            self._add(number, mask, start, name)

    def prompt_file(self, path: Path) -> None:
        """A JSON list of prompts; boxes are x, y, w, h in pixels, masks lie in the file's folder or below."""
        self.files.append(path)
        for number, entry in enumerate(_entries(path), 1):
            try:
                self._entry(path.parent, entry)
            except InputError as error:
                raise InputError(f"{path}: entry {number}: {error}") from None

    def _entry(self, folder: Path, entry: Any) -> None:
        number, start, box, name = _checked(entry)
        if box is not None:
            self._found.append((number, BoxPrompt(number, box, start)))
            return
        labels = self._labels(_inside(folder, name), f"mask {name}")
        masks = dict(masks_in(labels))
        # One object is the one that is meant; of several, the one of that number.
        if len(masks) > 1 and number not in masks:
            there = ", ".join(map(str, masks))
            raise InputError(f"mask {name}: holds objects {there}, not {number}; name one of them")
        self._add(number, masks.get(number, next(iter(masks.values()))), start, name)

    def _labels(self, path: Path, said: str) -> LabelMap:
        self.files.append(path)
        return read_mask(path, self.width, self.height, said)

    def _add(self, number: int | None, mask: Mask, start: int, name: str) -> None:
        self._found.append((number, MaskPrompt(0, mask, start, name)))
        self._pixels += mask.size
        if self._pixels > _ALL_MASKS:
            count, size = self._pixels // mask.size, f"{self.width}x{self.height}"
            raise InputError(f"mask {name}: {count} masks of {size} take more than {_ALL_MASKS >> 20} MiB; give fewer")


def parse_box(text: str) -> tuple[int | None, list[float], str]:
    """``[ID=]A,B,C,D[@WHEN]`` -> id if one is named, four numbers, when ("" for the start)."""
    match = re.fullmatch(r"\s*(?:(\d{1,9})\s*=)?([^=@]+)(?:@\s*([^@]+?)\s*)?", text)
    parts = match.group(2).split(",") if match else []
    try:
        numbers = [float(p) for p in parts]
    except ValueError:
        numbers = []
    if match is None or len(numbers) != 4:
        raise InputError(f"box '{text}': not four numbers; write --box X,Y,W,H, --box 3=X,Y,W,H or --box X,Y,W,H@45")
    return (int(match.group(1)) if match.group(1) else None), numbers, match.group(3) or ""


def split_start(text: str) -> tuple[str, str]:
    """``FILE[@WHEN]`` -> file, when ("" for the start). A file of the whole name is taken as it stands."""
    name, at, when = text.rpartition("@")
    return (name, when.strip()) if at and name and not _is_file(Path(text)) else (text, "")


def frame_of(when: str, rate: Fraction | None) -> int:
    """Frame number of ``45`` or ``1.5s``."""
    try:
        if when.endswith("s"):
            seconds = float(when[:-1])
            if rate is None:
                raise InputError(f"time '{when}': the source tells no frame rate; give a frame number")
            return round(seconds * float(rate))
        return int(when)
    except (ValueError, OverflowError):
        raise InputError(f"start '{when}': neither a frame (45) nor a time (1.5s)") from None


def to_xywh(numbers: list[float], form: str, scale: tuple[float, float]) -> Box:
    """Four numbers as typed -> x, y, w, h in pixels; the one place where a box's form is known."""
    a, b, c, d = (n * s for n, s in zip(numbers, (*scale, *scale), strict=True))
    if form == "xyxy":
        return a, b, c - a, d - b
    if form == "cxcywh":
        return a - c / 2, b - d / 2, c, d
    return a, b, c, d


def read_mask(path: Path, width: int, height: int, said: str) -> LabelMap:
    """An indexed or grey PNG of ``width`` x ``height`` as a label map, not empty; on-or-off ones are 0 and 255.

    Nothing larger than the frame is unpacked. Raises InputError, its line beginning with ``said``.
    """
    from PIL import Image, UnidentifiedImageError

    _check_file(path, _MASK_BYTES, said)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the next line knows better
            with Image.open(path, formats=("PNG",)) as picture:
                if picture.size != (width, height):
                    size = "{}x{}".format(*picture.size)
                    fault = f"{size}, but the frame is {width}x{height}; give a mask of the frame's size"
                    raise InputError(f"{said}: {fault}")
                labels = _ids(picture, said)
    except UnidentifiedImageError:
        raise InputError(f"{said}: not a PNG; save the mask as an indexed or a grey PNG") from None
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{said}: not a readable PNG ({error}); save it again") from None
    if not labels.any():
        raise InputError(f"{said}: empty; mark at least one pixel of an object")
    return labels


def _ids(picture: Picture, said: str) -> LabelMap:
    if picture.mode in ("P", "1"):
        labels = np.array(picture, np.uint8)
        return labels * np.uint8(255) if picture.mode == "1" else labels
    if picture.mode in ("RGB", "RGBA", "LA"):
        bands = np.asarray(picture.convert("RGBA"))
        grey = (bands[..., :1] == bands[..., 1:3]).all() and (bands[..., 3] == 255).all()
        if not grey:
            raise InputError(f"{said}: has colours or transparency; save it as an indexed or a grey PNG")
        labels = bands[..., 0]
    elif picture.mode == "L":
        labels = np.array(picture, np.uint8)
    else:
        raise InputError(f"{said}: 16 bits a pixel; save it as an indexed or a grey PNG of 8 bits")
    shades = len(np.flatnonzero(np.bincount(labels.ravel(), minlength=256)[1:255]))
    if shades and labels.max() == 255:  # soft edges would become an object a shade
        raise InputError(f"{said}: {shades} shades between black and white; use 0 and 255 alone, or save it indexed")
    return labels


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, a NUL in it
        return False


def _check_file(path: Path, most: int, said: str) -> None:
    """Raises InputError where ``path`` is no plain file, cannot be reached, or is larger than ``most`` bytes."""
    try:
        there, size = path.is_file(), path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"{said}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{said[:80]}: cannot be opened ({reason}); check the path") from None
    if not there:
        raise InputError(f"{said}: not a file; check the path")
    if size > most:
        raise InputError(f"{said}: {size >> 20} MiB; at most {most >> 20} MiB are read")


def _entries(path: Path) -> list[Any]:
    """The list in a JSON file; its objects as tuples of pairs, so that a key that stands twice is seen."""
    _check_file(path, _JSON_BYTES, f"{path}")
    try:
        with path.open("rb") as file:
            text = file.read(_JSON_BYTES + 1).decode("utf-8-sig")
        found = json.loads(text, object_pairs_hook=tuple, parse_constant=_no_number)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); write {_EXAMPLE}") from None
    if not isinstance(found, list) or not found:
        raise InputError(f"{path}: not a list of prompts; write {_EXAMPLE}")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _checked(entry: Any) -> tuple[int, int, Box | None, str]:
    """Id, frame, and box or mask file of an entry."""
    if not isinstance(entry, tuple):
        raise InputError('not an object; write {"id": 1, "frame": 0, "box": [x, y, w, h]}')
    values = dict(entry)
    for key in values:
        if key not in ("id", "frame", "box", "mask"):
            raise InputError(f"unknown key {key[:40]!r}; known: id, frame, box, mask")
    if len(values) < len(entry):
        raise InputError("a key stands twice")
    if "id" not in values:
        raise InputError("no id; name the object, 1 to 255")
    for key in ("id", "frame"):
        if type(values.get(key, 0)) is not int:
            raise InputError(f"{key}: not a whole number")
    if ("box" in values) == ("mask" in values):
        raise InputError("give either a box or a mask")
    if "box" in values:
        return values["id"], values.get("frame", 0), _box(values["box"]), ""
    name = values["mask"]
    if not isinstance(name, str) or not name or not name.isprintable():
        raise InputError("mask: not a file name")
    return values["id"], values.get("frame", 0), None, name


def _box(value: Any) -> Box:
    numbers = value if isinstance(value, list) and all(type(v) in (int, float) for v in value) else []
    if len(numbers) != 4:
        raise InputError("box: not four numbers; write [x, y, w, h] in pixels")
    try:
        x, y, w, h = map(float, numbers)
    except OverflowError:
        raise InputError("box: not finite numbers; write [x, y, w, h] in pixels") from None
    return x, y, w, h


def _inside(folder: Path, name: str) -> Path:
    """``name`` in ``folder`` or below, links followed. Raises InputError for any other place."""
    try:
        root, path = folder.resolve(), (folder / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"mask {name[:80]}: cannot be opened ({error}); check the path") from None
    if not path.is_relative_to(root):
        raise InputError(f"mask {name}: outside the folder of the file that names it; put it beside that")
    return path
