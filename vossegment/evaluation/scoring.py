"""Scores results by a benchmark's rule, whoever made them: folders of masks, or label maps in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from pathlib import Path

from vossegment.data.sequence import FileSequence, Sequence
from vossegment.errors import DataError
from vossegment.evaluation.benchmarks import Benchmark, Scores
from vossegment.evaluation.measures import Silhouette, accuracy, similarity
from vossegment.evaluation.results import check_results, result_labels, result_path
from vossegment.evaluation.scores import ObjectScores, SequenceScores, measured
from vossegment.evaluation.workers import in_order
from vossegment.tracking.types import LabelMap

TrackSequence = Callable[[Sequence], Iterable[LabelMap]]
"""Gives a label map for every frame of a sequence, frame 0 included, in order."""

_FRAMES_A_PROCESS = 200
"""A process takes as long to start as to score so many frames [ours]."""

Named = tuple[int, str, LabelMap]
"""A frame's index, what it is called where it is wrong, and its label map."""


def score(
    sequences: ListOf[Sequence],
    results: Path | TrackSequence,
    benchmark: Benchmark,
    *,
    jobs: int | None = None,
    on_sequence: Callable[[SequenceScores], None] | None = None,
) -> Scores:
    """``score_beside`` of one result alone."""
    return score_beside(sequences, {"": results}, benchmark, jobs=jobs, on_sequence=on_sequence)[""]


def score_beside(
    sequences: ListOf[Sequence],
    results: Mapping[str, Path | TrackSequence],
    benchmark: Benchmark,
    *,
    jobs: int | None = None,
    on_sequence: Callable[[SequenceScores], None] | None = None,
) -> dict[str, Scores]:
    """Scores several results against the truth, sequence by sequence in the order given, each truth read once.

    A result is a folder of ``<sequence>/<frame>.png`` (the frame's name, ``00001.png``), of which only the frames that
    count are read, or a function that gives a sequence's label maps. ``jobs`` processes share the sequences: by default
    one a core where a folder is among the results and there is enough to do, and this process alone for functions,
    which others can only run if they can be pickled. ``on_sequence`` is called here, in order, with the first result's
    scores.
    Raises DataError naming the missing, unreadable or ill-sized file, InputError where there is no folder.
    """
    for sequence in sequences:
        check_sequence(sequence, benchmark)
    folders = [result for result in results.values() if isinstance(result, Path)]
    for folder in folders:
        check_results(sequences, folder, {s.name: frames_that_count(s, benchmark) for s in sequences})
    if jobs is None:
        enough = sum(map(len, sequences)) // _FRAMES_A_PROCESS
        jobs = max(1, min(os.cpu_count() or 1, enough)) if folders else 1
    tasks = [(sequence, dict(results), benchmark) for sequence in sequences]
    scored: dict[str, list[SequenceScores]] = {name: [] for name in results}
    for parts in in_order(_score_one, tasks, jobs):
        for name, part in parts.items():
            scored[name].append(part)
        if on_sequence is not None:
            on_sequence(next(iter(parts.values())))
    return {name: Scores(benchmark, tuple(parts)) for name, parts in scored.items()}


def _score_one(
    sequence: Sequence, results: Mapping[str, Path | TrackSequence], benchmark: Benchmark
) -> dict[str, SequenceScores]:
    streams = {}
    for name, result in results.items():
        if isinstance(result, Path):
            streams[name] = _from_folder(sequence, result, benchmark)
        else:
            streams[name] = _from_memory(sequence, result(sequence), benchmark)
    return _measure(sequence, streams, benchmark)


def score_sequence(sequence: Sequence, labels: Iterable[LabelMap], benchmark: Benchmark) -> SequenceScores:
    """``score_sequence_beside`` of one result alone."""
    return score_sequence_beside(sequence, {"": labels}, benchmark)[""]


def score_sequence_beside(
    sequence: Sequence, results: Mapping[str, Iterable[LabelMap]], benchmark: Benchmark
) -> dict[str, SequenceScores]:
    """Scores one sequence from label maps in memory, ``(H, W)`` uint8, one a frame from frame 0 on.

    Raises DataError naming the sequence and frame where a map is missing, ill-sized or of unknown objects.
    """
    check_sequence(sequence, benchmark)
    streams = {name: _from_memory(sequence, labels, benchmark) for name, labels in results.items()}
    return _measure(sequence, streams, benchmark)


def _from_folder(sequence: Sequence, folder: Path, benchmark: Benchmark) -> Iterator[Named]:
    for index in frames_that_count(sequence, benchmark):
        path = result_path(folder, sequence, index)
        yield index, str(path), result_labels(path, merged=not benchmark.strict)


def _from_memory(sequence: Sequence, labels: Iterable[LabelMap], benchmark: Benchmark) -> Iterator[Named]:
    counted = set(frames_that_count(sequence, benchmark))
    index = -1
    for index, label_map in enumerate(labels):
        if index in counted:
            yield index, f"{sequence.name}, frame {index}", label_map
    if index + 1 != len(sequence):
        raise DataError(f"{sequence.name}: {index + 1} label maps, wanted one for each of {len(sequence)} frames")


@dataclass
class _Results:
    """One result's measures so far, and its last label map's silhouettes: a map that stays is looked at once."""

    region: dict[int, list[float]]
    contour: dict[int, list[float]]
    labels: LabelMap | None = None
    known: dict[int, Silhouette] | None = None

    def silhouette(self, labels: LabelMap, number: int, benchmark: Benchmark) -> Silhouette:
        if self.labels is not labels or self.known is None:
            self.labels, self.known = labels, {}
        if number not in self.known:
            self.known[number] = Silhouette(benchmark.mask(labels, number))
        return self.known[number]


def _measure(
    sequence: Sequence, streams: Mapping[str, Iterator[Named]], benchmark: Benchmark
) -> dict[str, SequenceScores]:
    counted = objects_that_count(sequence, benchmark)
    ids, highest = list(counted), max(benchmark.objects(sequence))
    found = {name: _Results({n: [] for n in ids}, {n: [] for n in ids}) for name in streams}
    for index in frames_that_count(sequence, benchmark):
        truth = _truth(sequence, index)
        true = {n: Silhouette(benchmark.mask(truth, n)) for n in ids if index in counted[n]}
        for name, stream in streams.items():
            _, source, labels = next(stream)
            check_map(labels, truth.shape, source, sequence, highest, benchmark)
            result = found[name]
            for number, silhouette in true.items():
                other = result.silhouette(labels, number, benchmark)
                result.region[number].append(similarity(silhouette, other))
                result.contour[number].append(accuracy(silhouette, other))
    for stream in streams.values():
        next(stream, None)  # to its end, where the number of maps is checked
    groups = sequence.groups if isinstance(sequence, FileSequence) else {}
    return {
        name: SequenceScores(
            sequence.name,
            tuple(
                ObjectScores(
                    n, measured(result.region[n]), measured(result.contour[n]), tuple(counted[n]), groups.get(n, "")
                )
                for n in ids
            ),
        )
        for name, result in found.items()
    }


def check_size(labels: LabelMap, size: tuple[int, ...], source: str) -> None:
    """Raises DataError where a label map has not the truth's ``size`` (H, W)."""
    if labels.shape != size:
        raise DataError(f"{source}: {_size(labels.shape)} pixels, wanted the truth's {_size(size)}")


def check_map(
    labels: LabelMap, size: tuple[int, ...], source: str, sequence: Sequence, highest: int, benchmark: Benchmark
) -> None:
    """Raises DataError where a label map has not the truth's ``size`` (H, W), or holds an object too many."""
    check_size(labels, size, source)
    if benchmark.strict and (found := int(labels.max())) > highest:
        raise DataError(f"{source}: holds object {found}, but {sequence.name} has objects 1 to {highest}")


def _truth(sequence: Sequence, index: int) -> LabelMap:
    truth = sequence.labels(index)
    if truth is None:
        raise _hidden(sequence, index)
    return truth


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in reversed(shape))


def has_truth(sequence: Sequence, index: int) -> bool:
    """Whether a frame's labels are known; a file is not read for it."""
    if isinstance(sequence, FileSequence):
        return sequence.label_paths[index] is not None
    return sequence.labels(index) is not None


def objects_that_count(sequence: Sequence, benchmark: Benchmark) -> dict[int, list[int]]:
    """The frames in which each object counts, by id; an object that counts nowhere is left out."""
    ids = benchmark.objects(sequence)
    if not ids:
        raise DataError(f"{sequence.name}: no object in the truth of frame 0")
    if not benchmark.late:
        return {number: list(benchmark.frames(sequence, number)) for number in ids}
    if is_hidden(sequence):  # where one object enters, the others may be left out
        return {}
    frames = {n: [i for i in benchmark.frames(sequence, n) if has_truth(sequence, i)] for n in ids}
    return {number: listed for number, listed in frames.items() if listed}


def frames_that_count(sequence: Sequence, benchmark: Benchmark) -> list[int]:
    """The frames in which any object counts."""
    if not benchmark.late:
        return list(benchmark.frames(sequence, 0))
    return sorted({index for frames in objects_that_count(sequence, benchmark).values() for index in frames})


def check_sequence(sequence: Sequence, benchmark: Benchmark) -> None:
    """Raises DataError where nothing of the sequence counts, or its truth is hidden."""
    counted = frames_that_count(sequence, benchmark)
    if not counted and not benchmark.late:
        if len(sequence) == 1:  # all that is known of it
            raise _hidden(sequence, 1)
        raise DataError(f"{sequence.name}: {len(sequence)} frames, and none counts ({benchmark.rule})")
    hidden = [index for index in (0, *counted) if not has_truth(sequence, index)] if not benchmark.late else []
    if hidden or not counted:
        raise _hidden(sequence, hidden[0] if hidden else None)


def is_hidden(sequence: Sequence) -> bool:
    """Whether only frames in which objects enter have a truth: what a server scores."""
    entries = {0, *sequence.objects.values()}
    return not any(has_truth(sequence, index) for index in range(len(sequence)) if index not in entries)


def _hidden(sequence: Sequence, index: int | None) -> DataError:
    where = "after the objects' first frames" if index is None else f"for frame {index}"
    return DataError(f"{sequence.name}: no truth {where}; a hidden truth can only be scored by its server")
