"""What scoring gives: measures by frame, object and sequence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vossegment.evaluation.measures import Statistics, mean_statistics, statistics


@dataclass(frozen=True)
class Measured:
    """One measure of one object: its value in each frame that counts, and their statistics."""

    frames: tuple[float, ...]
    statistics: Statistics


def measured(values: Iterable[float]) -> Measured:
    """An object's values, one a frame that counts."""
    frames = tuple(values)
    return Measured(frames, statistics(frames))


@dataclass(frozen=True)
class ObjectScores:
    """One object's J (``region``) and F (``contour``) in the frames ``indices``, from 0. ``group`` is the part of the
    data set that it belongs to, where that has parts."""

    id: int
    region: Measured
    contour: Measured
    indices: tuple[int, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class SequenceScores:
    """One sequence's objects, ordered by id."""

    name: str
    objects: tuple[ObjectScores, ...]

    @property
    def region(self) -> Statistics:
        """Mean of J over the objects."""
        return mean_statistics(item.region.statistics for item in self.objects)

    @property
    def contour(self) -> Statistics:
        """Mean of F over the objects."""
        return mean_statistics(item.contour.statistics for item in self.objects)
