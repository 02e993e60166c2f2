"""What to follow and from where, as people say it: boxes x, y, w, h of the upright frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vossegment.errors import InputError
from vossegment.tracking.types import Box


@dataclass(frozen=True)
class BoxPrompt:
    """Object ``id`` (1 to 255) is in ``box`` (x, y, w, h in pixels) in frame ``frame``."""

    id: int
    box: Box
    frame: int = 0


def clipped(prompt: BoxPrompt, width: int, height: int) -> tuple[BoxPrompt, str | None]:
    """The prompt with its box inside the frame, and a warning where something was cut off.

    Raises InputError for numbers that are not finite, for a box without area, or one wholly outside.
    """
    x, y, w, h = prompt.box
    said = ",".join(f"{v:g}" for v in prompt.box)
    if not all(math.isfinite(v) for v in prompt.box):
        raise InputError(f"box {said}: not finite numbers; give X,Y,W,H in pixels")
    if w <= 0 or h <= 0:
        raise InputError(f"box {said}: width and height must be above 0; give X,Y,W,H (top-left corner and size)")
    x0, y0, x1, y1 = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if x1 - x0 <= 0 or y1 - y0 <= 0:
        raise InputError(f"box {said}: wholly outside the frame of {width}x{height}; give X,Y,W,H inside it")
    if (x0, y0, x1, y1) == (x, y, x + w, y + h):
        return prompt, None
    inside = (x0, y0, x1 - x0, y1 - y0)
    cut = ",".join(f"{v:g}" for v in inside)
    return BoxPrompt(
        prompt.id, inside, prompt.frame
    ), f"box {said}: partly outside the frame of {width}x{height}, clipped to {cut}"


def check(
    prompts: Sequence[BoxPrompt], width: int, height: int, frames: int | None
) -> tuple[list[BoxPrompt], list[str]]:
    """All prompts, clipped, and the warnings. Raises InputError for none, bad ones, or what cannot begin."""
    if not prompts:
        raise InputError("nothing to follow: give a box, --box X,Y,W,H (top-left corner and size in pixels)")
    seen: set[tuple[int, int]] = set()
    found, warnings = [], []
    for prompt in prompts:
        if not 1 <= prompt.id <= 255:
            raise InputError(f"object id {prompt.id}: ids are 1 to 255")
        if (prompt.id, prompt.frame) in seen:
            raise InputError(f"object {prompt.id} has two boxes in frame {prompt.frame}; give one")
        if prompt.frame < 0:
            raise InputError(f"object {prompt.id} begins in frame {prompt.frame}; frames count from 0")
        if frames is not None and prompt.frame >= frames:
            raise InputError(
                f"object {prompt.id} begins in frame {prompt.frame}, but the last of {frames} is {frames - 1}"
            )
        seen.add((prompt.id, prompt.frame))
        inside, warning = clipped(prompt, width, height)
        found.append(inside)
        if warning:
            warnings.append(warning)
    return found, warnings
