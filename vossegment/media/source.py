"""What every source of frames has in common. A new kind (a camera, a network stream) subclasses this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType

from vossegment.tracking.types import Frame


@dataclass
class Source(ABC):
    """Frames in presentation order, upright, and what is known of them beforehand.

    ``path`` is as given; ``name`` is short, for folders of results. ``width`` and ``height`` are those of the
    upright frame. ``frames`` is the count that the file promises, None where it promises none; ``duration``
    is in seconds; ``rate`` in frames a second; ``rotation`` the degrees clockwise (0, 90, 180, 270) by which
    the stored picture is turned to stand upright.

    Iterating yields ``Frame``s: ``index`` from 0, ``time`` in seconds after the first frame (so the first is
    at 0.0), ``image`` C-contiguous. Every iteration starts again at the first frame. What went wrong without
    stopping the work is told in ``warnings``, a line each, filled while iterating.
    """

    path: str
    name: str
    width: int
    height: int
    frames: int | None = None
    duration: float | None = None
    rate: Fraction | None = None
    rotation: int = 0
    warnings: list[str] = field(default_factory=list)

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open between iterations
        """Release what is open. Safe to call twice; an iteration under way ends."""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
