"""What mask-guided propagation knows of its objects between two frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from vossegment.tracking.types import each


@dataclass(frozen=True)
class PropagationState:
    """N objects between two frames.

    ``guidance`` ``(N, S, S)`` the last masks less the others', in their ``windows`` ``(N, 2, 3)``; ``boxes`` ``(N, 4)``
    and ``areas`` ``(N,)`` where last seen, in frame pixels; ``usual`` ``(N, 3)`` the running mean of width, height and
    area; ``motion`` ``(N, 4)`` the last change of centre and log size; ``lost_for`` ``(N,)`` frames since; ``fill``
    ``(N, 3)`` the mean colour of the first frame; ``first`` and ``recent`` references, ``portrait`` ``(N, K)`` the look
    as a whole and ``marked`` ``(N, 4)`` the boxes when ``recent`` was made. ``age`` counts frames.
    """

    guidance: Tensor
    windows: Tensor
    boxes: Tensor
    areas: Tensor
    usual: Tensor
    motion: Tensor
    lost_for: Tensor
    fill: Tensor
    first: Any
    recent: Any
    portrait: Tensor
    marked: Tensor
    age: int = 0

    def __len__(self) -> int:
        return len(self.boxes)

    def join(self, other: PropagationState) -> PropagationState:
        """These objects and then the other's; ``age`` stays this one's."""
        return self._combined(lambda a, b: torch.cat([a, b]), other)

    def __getitem__(self, keep: Any) -> PropagationState:
        """Some of the objects: a slice, a list of places or a bool mask."""
        return self._combined(lambda a: a[keep])

    def _combined(self, function: Callable[..., Tensor], *others: PropagationState) -> PropagationState:
        def combined(name: str) -> Any:
            values = [getattr(state, name) for state in (self, *others)]
            return each(function, *values) if isinstance(values[0], tuple) else function(*values)

        return replace(self, **{f.name: combined(f.name) for f in fields(self) if f.name != "age"})
