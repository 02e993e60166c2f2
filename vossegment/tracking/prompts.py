"""What to follow and from where, as people say it: boxes x, y, w, h of the upright frame, or masks of its size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vossegment.errors import InputError
from vossegment.tracking.types import Box, LabelMap, Mask


@dataclass(frozen=True)
class BoxPrompt:
    """Object ``id`` (1 to 255) is in ``box`` (x, y, w, h in pixels) in frame ``frame``."""

    id: int
    box: Box
    frame: int = 0

    @property
    def said(self) -> str:
        """The prompt in an error's words."""
        return "box " + ",".join(f"{v:g}" for v in self.box)


@dataclass(frozen=True, eq=False)
class MaskPrompt:
    """Object ``id`` (1 to 255) is where ``mask`` ``(H, W)`` bool is True in frame ``frame``.

    ``file`` is the name of the file that the mask comes from, as typed, if there is one.
    """

    id: int
    mask: Mask
    frame: int = 0
    file: str | None = None

    @cached_property
    def box(self) -> Box:
        """The tight box round the mask: x, y, w, h in pixels, all 0 where it is empty."""
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        if not len(rows):
            return 0.0, 0.0, 0.0, 0.0
        x, y = int(columns[0]), int(rows[0])
        return float(x), float(y), float(columns[-1] + 1 - x), float(rows[-1] + 1 - y)

    @property
    def said(self) -> str:
        """The prompt in an error's words."""
        return f"mask of object {self.id}" if self.file is None else f"mask {self.file}"


Prompt: TypeAlias = BoxPrompt | MaskPrompt

Masks: TypeAlias = LabelMap | Mask | Sequence[LabelMap | Mask]
"""Masks as a program gives them: a label map, or an array an object."""

_BINARY = 255
"""The only label of a mask that is on or off and names no id."""


def masks_in(labels: LabelMap) -> Iterator[tuple[int | None, Mask]]:
    """Id and mask of each object of a label map. Where 255 is the only label, the one object has no id yet."""
    ids = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    ids = ids[ids > 0]
    binary = ids.tolist() == [_BINARY]
    for number in ids.tolist():
        yield None if binary else number, np.equal(labels, number)


def numbered(ids: Sequence[int | None]) -> list[int]:
    """Ids as given; the unnamed take 1, 2, ... in order, but none that is named."""
    named = set(ids)
    free = (n for n in count(1) if n not in named)
    return [next(free) if i is None else i for i in ids]


def prompts_of(boxes: Sequence[Box], masks: Masks, ids: Sequence[int] | None) -> list[Prompt]:
    """Prompts in the first frame: boxes, then masks, an array each or one label map whose objects keep their ids.

    Those without an id take ``ids`` in order, or else the next number that is free. Raises InputError for ``ids``
    of another count, and for arrays that cannot be masks.
    """
    found = _objects(masks)
    asked = [None] * len(boxes) + [number for number, _ in found]
    if ids is not None and len(ids) != asked.count(None):
        raise InputError(f"{len(ids)} ids for {asked.count(None)} boxes and masks without one; give one an object")
    names = iter(ids or ())
    numbers = iter(numbered([next(names, None) if number is None else number for number in asked]))
    given: list[Prompt] = [BoxPrompt(next(numbers), box) for box in boxes]
    return given + [MaskPrompt(next(numbers), mask) for _, mask in found]


def _objects(masks: Masks) -> list[tuple[int | None, Mask]]:
    """Id, where the mask tells one, and mask of each object."""
    one = isinstance(masks, np.ndarray) and masks.ndim == 2
    arrays: list[npt.NDArray[Any]] = [np.asarray(mask) for mask in ([masks] if one else masks)]
    for array in arrays:
        if array.ndim != 2 or array.dtype.name not in ("bool", "uint8"):
            raise InputError(f"mask of {array.dtype} with {array.ndim} axes; give (H, W) arrays of uint8 or bool")
    if not one:
        return [(None, np.not_equal(array, 0)) for array in arrays]
    found = list(masks_in(arrays[0].view(np.uint8)))
    if not found:
        raise InputError("the label map of masks is empty; mark at least one object")
    return found


def clipped(prompt: BoxPrompt, width: int, height: int) -> tuple[BoxPrompt, str | None]:
    """The prompt with its box inside the frame, and a warning where something was cut off.

    Raises InputError for numbers that are not finite, for a box without area, or one wholly outside.
    """
    x, y, w, h = prompt.box
    if not all(math.isfinite(v) for v in prompt.box):
        raise InputError(f"{prompt.said}: not finite numbers; give X,Y,W,H in pixels")
    if w <= 0 or h <= 0:
        raise InputError(f"{prompt.said}: width and height must be above 0; give X,Y,W,H (top-left corner and size)")
    x0, y0, x1, y1 = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if x1 - x0 <= 0 or y1 - y0 <= 0:
        raise InputError(f"{prompt.said}: wholly outside the frame of {width}x{height}; give X,Y,W,H inside it")
    if (x0, y0, x1, y1) == (x, y, x + w, y + h):
        return prompt, None
    inside = (x0, y0, x1 - x0, y1 - y0)
    cut = ",".join(f"{v:g}" for v in inside)
    return BoxPrompt(
        prompt.id, inside, prompt.frame
    ), f"{prompt.said}: partly outside the frame of {width}x{height}, clipped to {cut}"


def check_mask(prompt: MaskPrompt, width: int, height: int) -> None:
    """Raises InputError for a mask that is not bool, not of the frame's size, or empty."""
    mask = prompt.mask
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise InputError(f"{prompt.said}: {mask.ndim} axes of {mask.dtype}; give (H, W) of bool")
    if mask.shape != (height, width):
        size = f"{mask.shape[1]}x{mask.shape[0]}"
        raise InputError(f"{prompt.said}: {size}, but the frame is {width}x{height}; give a mask of the frame's size")
    if not mask.any():
        raise InputError(f"{prompt.said}: empty; mark at least one pixel of the object")


def check(prompts: Sequence[Prompt], width: int, height: int, frames: int | None) -> tuple[list[Prompt], list[str]]:
    """All prompts, boxes clipped, and the warnings. Raises InputError for none, bad ones, or what cannot begin."""
    if not prompts:
        raise InputError(
            "nothing to follow: give a box, --box X,Y,W,H (top-left corner and size in pixels), "
            "or a mask, --mask FILE.png"
        )
    seen: dict[tuple[int, int], Prompt] = {}
    found: list[Prompt] = []
    warnings = []
    for prompt in prompts:
        if not 1 <= prompt.id <= 255:
            raise InputError(f"object id {prompt.id}: ids are 1 to 255")
        if prompt.frame < 0:
            raise InputError(f"object {prompt.id} begins in frame {prompt.frame}; frames count from 0")
        if frames is not None and prompt.frame >= frames:
            raise InputError(
                f"object {prompt.id} begins in frame {prompt.frame}, but the last of {frames} is {frames - 1}"
            )
        other = seen.get((prompt.id, prompt.frame))
        if other is not None:
            both = f"{other.said} and {prompt.said}"
            raise InputError(f"object {prompt.id} has two prompts in frame {prompt.frame}, {both}; give one")
        seen[prompt.id, prompt.frame] = prompt
        warning = None
        if isinstance(prompt, MaskPrompt):
            check_mask(prompt, width, height)
        else:
            prompt, warning = clipped(prompt, width, height)
        found.append(prompt)
        if warning:
            warnings.append(warning)
    return found, warnings
