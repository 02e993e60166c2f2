"""The few types that everything is made of. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Image = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, upright."""

LabelMap = npt.NDArray[np.uint8]
"""(H, W) uint8: 0 background, else the object's id."""

Mask = npt.NDArray[np.bool_]
"""(H, W) bool: True where the object is."""

Status = Literal["prompted", "tracked", "lost"]

Lost = Literal["empty", "keep"]
"""What a lost object's mask is: empty, or the last one held."""


@dataclass(frozen=True)
class Frame:
    """One decoded picture: ``index`` from 0, ``time`` in seconds from the stream's own timestamps."""

    index: int
    time: float
    image: Image


@dataclass(frozen=True)
class Prompts:
    """What to follow from one frame on.

    ``ids`` are the objects' numbers, 1 to 255. ``boxes`` is ``(N, 4)`` float, ``x0 y0 x1 y1`` in pixels, edges,
    half-open: pixel (0, 0) covers [0, 1) x [0, 1). ``masks`` is ``(N, H, W)`` float, 0 to 1, of the frame's size,
    where the objects are known exactly, else None; ``boxes`` are then the tight boxes round them, so that a tracker
    that starts from boxes takes either.
    """

    ids: tuple[int, ...]
    boxes: Tensor
    masks: Tensor | None = None


@dataclass(frozen=True)
class Result:
    """One step's answer for N objects, all tensors on the tracker's device.

    ``boxes`` ``(N, 4)`` the tracker's own boxes in frame pixels, ``scores`` ``(N,)`` in [0, 1], ``masks``
    ``(N, h, w)`` probabilities in each object's own window, ``windows`` ``(N, 2, 3)`` the affine maps from window
    pixels to frame pixels (see ``tracking.geometry``), ``lost`` ``(N,)`` bool; a lost object's mask is 0 everywhere.
    ``proposed`` ``(N, 4)``: the boxes before they were kept inside the frame.
    """

    boxes: Tensor
    scores: Tensor
    masks: Tensor
    windows: Tensor
    lost: Tensor
    proposed: Tensor


def each(function: Callable[..., Tensor], *values: Any) -> Any:
    """Applies ``function`` to the tensors of named tuples, field by field: templates, references."""
    return type(values[0])(*(function(*fields) for fields in zip(*values, strict=True)))


def in_range(name: str, value: float, low: float, high: float) -> None:
    """Raises ValueError unless ``low <= value <= high``, as nothing that is not a number is."""
    if not low <= value <= high:
        raise ValueError(f"'{name}': {value}, wanted {low:g} to {high:g}")


class Tracker(Protocol):
    """Follows all objects at once by pure steps: the same state and frame give the same answer.

    ``frame`` is ``uint8 (H, W, 3)`` on ``device``. States are dataclasses of tensors with N first; they have
    ``join`` (adds another state's objects) and ``[keep]`` (selects objects).
    """

    @property
    def device(self) -> torch.device: ...

    @property
    def mask_threshold(self) -> float:
        """Probability from which a pixel is the object's."""
        ...

    def start(self, frame: Tensor, prompts: Prompts) -> Any: ...

    def step(self, state: Any, frame: Tensor) -> tuple[Any, Result]: ...


Box = tuple[float, float, float, float]
"""x, y, w, h in frame pixels: as typed and as written, never inside the tensor code."""


Corners = tuple[tuple[float, float], ...]
"""x, y of a box's four corners, in frame pixels, edges."""
Rotated = Literal["box", "minmax", "mbr", "opt"]
"""Which box is read out: the tracker's own, or the mask's: upright, the smallest, or the one that overlaps it most."""


@dataclass(frozen=True)
class ObjectRecord:
    """One object in one frame, as it is written. ``box`` is the tightest box round the mask, None if empty."""

    id: int
    box: Box | None
    score: float
    area: int
    status: Status
    window_box: Box | None = None
    rotated: Corners | None = None
    """Where asked for: the box read out, by four corners x, y, in order round it."""


@dataclass(frozen=True)
class TrackedFrame:
    """One frame's answer: the label map and a record for every object known so far."""

    index: int
    time: float
    image: Image
    labels: LabelMap
    objects: tuple[ObjectRecord, ...]
