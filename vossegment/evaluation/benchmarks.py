"""The table of benchmarks whose results are masks: what is loaded, which objects and frames count, what is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Sequence as ListOf
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from vossegment.data.davis import davis_sequences
from vossegment.data.segtrack import segtrack_sequences
from vossegment.data.sequence import VOID, FileSequence, Sequence
from vossegment.data.youtube_vos import SEEN, UNSEEN, youtube_sequences
from vossegment.errors import InputError, one_of
from vossegment.evaluation.measures import Mask, Statistics, mean_statistics
from vossegment.evaluation.scores import ObjectScores, SequenceScores
from vossegment.tracking.types import LabelMap

FIRST, LAST = "first", "last"


class Load(Protocol):
    """Reads a data set's sequences of one split, those named by ``only`` where it names any; ``images=False`` asks for
    the annotations alone."""

    def __call__(self, root: Path, split: str, *, images: bool, only: ListOf[str] = ()) -> ListOf[FileSequence]: ...


def _nothing(parts: ListOf[SequenceScores]) -> Mapping[str, float]:
    return {}


@dataclass(frozen=True)
class Benchmark:
    """A rule of scoring.

    ``objects`` gives a sequence's ids to score, ``mask`` one id's mask from a label map. ``late``: objects count from
    their own first frame on, else from frame 0. ``skip``: whether that frame and the sequence's last are left out.
    ``strict``: an id above those to score is an error. ``summary``: further means that are told. ``packed_in``: the top
    folder of a submission to its server, empty for none; None where there is no server. ``follows``: whose rule it is
    where programs or papers differ.
    """

    name: str
    counts: str
    load: Load
    objects: Callable[[Sequence], tuple[int, ...]]
    mask: Callable[[LabelMap, int], Mask]
    strict: bool
    skip: frozenset[str]
    late: bool = False
    split: str = "val"
    summary: Callable[[ListOf[SequenceScores]], Mapping[str, float]] = _nothing
    packed_in: str | None = None
    follows: str = ""

    @property
    def rule(self) -> str:
        """In words: which objects, which frames."""
        left_out = " and ".join(name for name in (FIRST, LAST) if name in self.skip)
        return f"{self.counts}; {f'{left_out} frame left out' if left_out else 'all frames count'}"

    def skipping(self, skip: Collection[str]) -> Benchmark:
        """The same with these frames left out. Raises InputError for any but "first" and "last"."""
        for name in skip:
            if name not in (FIRST, LAST):
                raise InputError(one_of("frame to skip", name, (FIRST, LAST)))
        return replace(self, skip=frozenset(skip))

    def frames(self, sequence: Sequence, number: int) -> range:
        """Indices of the frames in which this object counts; of a ``late`` one, those of them that carry truth."""
        start = sequence.objects.get(number, 0) if self.late else 0
        return range(start + (FIRST in self.skip), len(sequence) - (LAST in self.skip))


@dataclass(frozen=True)
class Scores:
    """A benchmark's result. The global values are means over all objects, whatever their sequence."""

    benchmark: Benchmark
    sequences: tuple[SequenceScores, ...]

    @property
    def objects(self) -> Iterator[ObjectScores]:
        return (item for part in self.sequences for item in part.objects)

    @property
    def region(self) -> Statistics:
        """Mean of J over all objects."""
        return mean_statistics(item.region.statistics for item in self.objects)

    @property
    def contour(self) -> Statistics:
        """Mean of F over all objects."""
        return mean_statistics(item.contour.statistics for item in self.objects)

    @property
    def summary(self) -> Mapping[str, float]:
        """What the benchmark tells besides."""
        return self.benchmark.summary(self.sequences)


def _everything(sequence: Sequence) -> tuple[int, ...]:
    return (1,)


def _any_object(labels: LabelMap, number: int) -> Mask:
    return np.not_equal(labels, 0)


def _up_to_highest(sequence: Sequence) -> tuple[int, ...]:
    # A gap in the numbers counts as an object that is never there, as davis2017-evaluation has it.
    first = sequence.labels(0)
    known = np.zeros(0, np.uint8) if first is None else first[first != VOID]
    return tuple(range(1, int(known.max(initial=0)) + 1))


def _listed(sequence: Sequence) -> tuple[int, ...]:
    return tuple(sorted(sequence.objects))


def _one_object(labels: LabelMap, number: int) -> Mask:
    return np.equal(labels, number)


def _by_categories(parts: ListOf[SequenceScores]) -> Mapping[str, float]:
    """J and F over the objects of categories seen in training and of others, and their mean [METRICS 4]."""
    told = {}
    for group, mark in ((SEEN, "S"), (UNSEEN, "U")):
        items = [item for part in parts for item in part.objects if item.group == group]
        if items:
            told[f"J_{mark}"] = mean_statistics(item.region.statistics for item in items).mean
            told[f"F_{mark}"] = mean_statistics(item.contour.statistics for item in items).mean
    return {**told, "O": sum(told.values()) / 4} if len(told) == 4 else told


def _over_sequences(parts: ListOf[SequenceScores]) -> Mapping[str, float]:
    return {"J over sequences": mean_statistics(part.region for part in parts).mean}


BENCHMARKS = {
    entry.name: entry
    for entry in (
        Benchmark(
            name="davis2016",
            counts="objects merged",
            load=partial(davis_sequences, year=2016),
            objects=_everything,
            mask=_any_object,
            strict=False,
            skip=frozenset({FIRST, LAST}),
            follows="davisvideochallenge/davis: every pixel that is not black is the object",
        ),
        Benchmark(
            name="davis2017",
            counts="every object of frame 0 for itself",
            load=partial(davis_sequences, year=2017),
            objects=_up_to_highest,
            mask=_one_object,
            strict=True,
            skip=frozenset({FIRST, LAST}),
            packed_in="",
            follows="davisvideochallenge/davis2017-evaluation: objects 1 to the highest of frame 0; 255 is none",
        ),
        Benchmark(
            name="youtubevos",
            counts="every object for itself from its first frame on, where there is truth",
            load=youtube_sequences,
            objects=_listed,
            mask=_one_object,
            strict=True,
            skip=frozenset({FIRST}),
            late=True,
            split="valid",
            summary=_by_categories,
            packed_in="Annotations",
            follows="ours, as the server's program is not public: a mean over each object's frames, then over objects",
        ),
        Benchmark(
            name="segtrackv2",
            counts="every object for itself",
            load=segtrack_sequences,
            objects=_listed,
            mask=_one_object,
            strict=True,
            skip=frozenset({FIRST}),
            split="all",
            follows="Li et al.: a mean over each object's frames, then over the objects",
            summary=_over_sequences,
        ),
    )
}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark called ``name``. Raises InputError listing the known ones."""
    if name not in BENCHMARKS:
        raise InputError(one_of("benchmark", name, BENCHMARKS))
    return BENCHMARKS[name]
