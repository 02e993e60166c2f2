"""The table of benchmarks, and the one function that scores results by any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vossegment.data.sequence import VOID, FileSequence, Sequence, read_labels
from vossegment.errors import DataError, InputError, one_of
from vossegment.evaluation.measures import (
    Mask,
    Statistics,
    contour_accuracy,
    mean_statistics,
    region_similarity,
    statistics,
)
from vossegment.evaluation.workers import in_order
from vossegment.tracking.types import LabelMap

TrackSequence = Callable[[Sequence], Iterable[LabelMap]]
"""Gives a label map for every frame of a sequence, frame 0 included, in order."""


@dataclass(frozen=True)
class Benchmark:
    """A rule of scoring. The first and the last frame are left out, as in every DAVIS package.

    ``year`` selects the DAVIS lists and label rule. ``objects`` gives the ids to score from the truth of
    frame 0, ``mask`` one id's mask from a label map. ``strict``: an id above those to score is an error.
    """

    name: str
    rule: str
    year: int
    objects: Callable[[LabelMap], tuple[int, ...]]
    mask: Callable[[LabelMap, int], Mask]
    strict: bool

    def frames(self, length: int) -> range:
        """Indices of the frames that count in a sequence of ``length`` frames."""
        return range(1, length - 1)


@dataclass(frozen=True)
class Measured:
    """One measure of one object: its value in each frame that counts, and their statistics."""

    frames: tuple[float, ...]
    statistics: Statistics


@dataclass(frozen=True)
class ObjectScores:
    """One object's J (``region``) and F (``contour``)."""

    id: int
    region: Measured
    contour: Measured


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


@dataclass(frozen=True)
class Scores:
    """A benchmark's result. The global values are means over all objects, whatever their sequence."""

    benchmark: Benchmark
    sequences: tuple[SequenceScores, ...]

    @property
    def region(self) -> Statistics:
        """Mean of J over all objects."""
        return mean_statistics(item.region.statistics for part in self.sequences for item in part.objects)

    @property
    def contour(self) -> Statistics:
        """Mean of F over all objects."""
        return mean_statistics(item.contour.statistics for part in self.sequences for item in part.objects)


def _everything(first: LabelMap) -> tuple[int, ...]:
    return (1,)


def _any_object(labels: LabelMap, number: int) -> Mask:
    return np.not_equal(labels, 0)


def _up_to_highest(first: LabelMap) -> tuple[int, ...]:
    # A gap in the numbers counts as an object that is never there, as davis2017-evaluation has it.
    known = first[first != VOID]
    return tuple(range(1, int(known.max(initial=0)) + 1))


def _one_object(labels: LabelMap, number: int) -> Mask:
    return np.equal(labels, number)


BENCHMARKS = {
    entry.name: entry
    for entry in (
        Benchmark(
            name="davis2016",
            rule="objects merged; first and last frame left out",
            year=2016,
            objects=_everything,
            mask=_any_object,
            strict=False,
        ),
        Benchmark(
            name="davis2017",
            rule="every object of frame 0 for itself; first and last frame left out",
            year=2017,
            objects=_up_to_highest,
            mask=_one_object,
            strict=True,
        ),
    )
}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark called ``name``. Raises InputError listing the known ones."""
    if name not in BENCHMARKS:
        raise InputError(one_of("benchmark", name, BENCHMARKS))
    return BENCHMARKS[name]


def score(
    sequences: ListOf[Sequence],
    results: Path | TrackSequence,
    benchmark: Benchmark,
    *,
    jobs: int | None = None,
    on_sequence: Callable[[SequenceScores], None] | None = None,
) -> Scores:
    """Scores results against the truth, sequence by sequence, in the order given.

    ``results`` is a folder of ``<sequence>/<frame>.png`` (the frame's name, ``00001.png``), of which only the
    frames that count are read, or a function that gives a sequence's label maps. ``jobs`` processes share the
    sequences: by default one a core for a folder, and this process alone for a function, which others can
    only run if it can be pickled. ``on_sequence`` is called here, in order.
    Raises DataError naming the missing, unreadable or ill-sized file, InputError where there is no folder.
    """
    for sequence in sequences:
        check_sequence(sequence, benchmark)
    if isinstance(results, Path):
        check_results(sequences, results, benchmark)
    elif jobs is None:
        jobs = 1
    tasks = [(sequence, results, benchmark) for sequence in sequences]
    scored = []
    for part in in_order(_score_one, tasks, jobs):
        scored.append(part)
        if on_sequence is not None:
            on_sequence(part)
    return Scores(benchmark, tuple(scored))


def _score_one(sequence: Sequence, results: Path | TrackSequence, benchmark: Benchmark) -> SequenceScores:
    if not isinstance(results, Path):
        return score_sequence(sequence, results(sequence), benchmark)
    paths = {index: _result_path(results, sequence, index) for index in benchmark.frames(len(sequence))}
    named = ((index, str(path), read_labels(path)) for index, path in paths.items())
    return _measure(sequence, named, benchmark)


def score_sequence(sequence: Sequence, labels: Iterable[LabelMap], benchmark: Benchmark) -> SequenceScores:
    """Scores one sequence from label maps in memory, ``(H, W)`` uint8, one a frame from frame 0 on.

    Raises DataError naming the sequence and frame where a map is missing, ill-sized or of unknown objects.
    """
    check_sequence(sequence, benchmark)
    counted = benchmark.frames(len(sequence))

    def named() -> Iterator[tuple[int, str, LabelMap]]:
        index = -1
        for index, label_map in enumerate(labels):
            if index in counted:
                yield index, f"{sequence.name}, frame {index}", label_map
        if index + 1 != len(sequence):
            raise DataError(f"{sequence.name}: {index + 1} label maps, wanted one for each of {len(sequence)} frames")

    return _measure(sequence, named(), benchmark)


def _measure(
    sequence: Sequence, predictions: Iterable[tuple[int, str, LabelMap]], benchmark: Benchmark
) -> SequenceScores:
    ids = benchmark.objects(_truth(sequence, 0))
    if not ids:
        raise DataError(f"{sequence.name}: no object in the truth of frame 0")
    region: dict[int, list[float]] = {number: [] for number in ids}
    contour: dict[int, list[float]] = {number: [] for number in ids}
    for index, source, predicted in predictions:
        truth = _truth(sequence, index)
        if predicted.shape != truth.shape:
            raise DataError(f"{source}: {_size(predicted)} pixels, wanted the truth's {_size(truth)}")
        if benchmark.strict and (highest := int(predicted.max())) > max(ids):
            raise DataError(f"{source}: holds object {highest}, but {sequence.name} has objects 1 to {max(ids)}")
        for number in ids:
            true_mask, mask = benchmark.mask(truth, number), benchmark.mask(predicted, number)
            region[number].append(region_similarity(true_mask, mask))
            contour[number].append(contour_accuracy(true_mask, mask))
    scores = (ObjectScores(number, _measured(region[number]), _measured(contour[number])) for number in ids)
    return SequenceScores(sequence.name, tuple(scores))


def _measured(values: list[float]) -> Measured:
    return Measured(tuple(values), statistics(values))


def _truth(sequence: Sequence, index: int) -> LabelMap:
    truth = sequence.labels(index)
    if truth is None:
        raise _hidden(sequence, index)
    return truth


def _size(labels: LabelMap) -> str:
    return "x".join(str(side) for side in reversed(labels.shape))


def check_sequence(sequence: Sequence, benchmark: Benchmark) -> None:
    """Raises DataError where nothing of the sequence counts, or its truth is hidden."""
    counted = benchmark.frames(len(sequence))
    if not counted:
        raise DataError(f"{sequence.name}: {len(sequence)} frames, none left without the first and the last")
    if isinstance(sequence, FileSequence):
        hidden = [index for index in (0, *counted) if sequence.label_paths[index] is None]
    else:
        hidden = [index for index in (0, counted[0]) if sequence.labels(index) is None]
    if hidden:
        raise _hidden(sequence, hidden[0])


def _hidden(sequence: Sequence, index: int) -> DataError:
    fault = f"no truth for frame {index}; a hidden truth can only be scored by its server"
    return DataError(f"{sequence.name}: {fault}")


def check_results(sequences: Iterable[Sequence], folder: Path, benchmark: Benchmark) -> None:
    """Raises InputError where there is no folder, DataError naming the first missing sequence or frame."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of results")
    wanted = list(sequences)
    missing = [sequence.name for sequence in wanted if not (folder / sequence.name).is_dir()]
    if missing:
        names = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DataError(
            f"{folder / missing[0]}: no such folder; wanted {folder}/<sequence>/00001.png ... for each of "
            f"{len(wanted)} sequences (missing {len(missing)}: {names})"
        )
    for sequence in wanted:
        counted = benchmark.frames(len(sequence))
        absent = [p for p in (_result_path(folder, sequence, index) for index in counted) if not p.is_file()]
        if absent:
            share = f"{len(absent)} of {len(counted)} frames of {sequence.name}"
            raise DataError(f"{absent[0]}: no such file; {share} are missing")


def frame_name(sequence: Sequence, index: int) -> str:
    """The name that a frame's result file bears: its image's own, or five digits where it has none."""
    if isinstance(sequence, FileSequence):
        return sequence.image_paths[index].stem
    return f"{index:05d}"


def _result_path(folder: Path, sequence: Sequence, index: int) -> Path:
    return folder / sequence.name / f"{frame_name(sequence, index)}.png"
