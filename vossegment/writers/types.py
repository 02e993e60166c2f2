"""What every writer is, and what it is told of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol

from vossegment.tracking.types import Box, TrackedFrame


@dataclass(frozen=True)
class PromptRecord:
    """What was asked: object ``id``, from ``frame`` on, within ``box`` (x, y, w, h in frame pixels).

    ``mask`` is the file of the mask that was given, as typed, True where a mask came from no file, None for a box.
    """

    id: int
    frame: int
    box: Box | None
    mask: str | Literal[True] | None = None


@dataclass(frozen=True)
class RunInfo:
    """Facts of one run that the results carry.

    ``source``: path, width, height, frames, duration, rotation. ``model``: name, weights, sha256, device,
    precision. ``rate`` in frames a second. ``source_path``: the file whose sound goes with the overlay.
    """

    source: Mapping[str, Any]
    model: Mapping[str, Any]
    prompts: tuple[PromptRecord, ...] = ()
    rate: Fraction | None = None
    source_path: Path | None = None


class Writer(Protocol):
    """Takes tracked frames in order. ``close`` is called once at the end, at an interruption too
    (``complete`` False), and leaves whole files. Both raise OutputError where the disk does not take them."""

    @property
    def outputs(self) -> list[Path]:
        """Files and folders written, for the user to read."""
        ...

    @property
    def warnings(self) -> list[str]:
        """What had to be left out, a line each."""
        ...

    def write(self, frame: TrackedFrame) -> None: ...

    def close(self, complete: bool) -> None: ...


@dataclass
class Outputs:
    """What a writer reports; its base class for these two lists."""

    outputs: list[Path] = field(default_factory=list, init=False)
    warnings: list[str] = field(default_factory=list, init=False)
