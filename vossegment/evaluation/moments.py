"""The moments at which a run went most wrong, as pictures to look at."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as ListOf
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vossegment.data.sequence import FileSequence, Sequence
from vossegment.errors import DataError
from vossegment.evaluation.benchmarks import Benchmark, Scores
from vossegment.evaluation.page import Moment
from vossegment.evaluation.results import result_labels, result_path
from vossegment.evaluation.scores import SequenceScores
from vossegment.tracking.types import Image, LabelMap

SHOWN = 5


@dataclass(frozen=True, order=True)
class Place:
    """An object's worst frame; of equals, the first."""

    region: float
    sequence: str
    id: int
    index: int


def worst_places(part: SequenceScores) -> Iterator[Place]:
    """Each object's worst frame; objects that are never wrong have none."""
    for item in part.objects:
        known = [(value, index) for value, index in zip(item.region.frames, item.indices, strict=True) if value < 1]
        if known:
            value, index = min(known)
            yield Place(value, part.name, item.id, index)


@dataclass
class WorstMoments:
    """The worst moments of the sequences seen so far, one an object; what is not among them is not kept."""

    benchmark: Benchmark
    most: int = SHOWN
    found: list[tuple[Place, Moment]] = field(default_factory=list)

    def add(self, sequence: Sequence, part: SequenceScores, labels: ListOf[LabelMap]) -> None:
        """After a sequence was scored; ``labels`` are its maps from frame 0 on."""
        for place in worst_places(part):
            if len(self.found) < self.most or place < self.found[-1][0]:
                self.found.append((place, _moment(sequence, place, labels[place.index], self.benchmark)))
                self.found.sort(key=lambda entry: entry[0])
                del self.found[self.most :]

    @property
    def moments(self) -> list[Moment]:
        return [moment for _, moment in self.found]


def moments_of(scores: Scores, sequences: ListOf[Sequence], results: Path, most: int = SHOWN) -> list[Moment]:
    """The same of masks in a folder; of its files, those that are shown are read again."""
    places = sorted(place for part in scores.sequences for place in worst_places(part))[:most]
    by_name = {sequence.name: sequence for sequence in sequences}
    found = []
    for place in places:
        sequence = by_name[place.sequence]
        path = result_path(results, sequence, place.index)
        labels = result_labels(path, merged=not scores.benchmark.strict)
        found.append(_moment(sequence, place, labels, scores.benchmark))
    return found


def _moment(sequence: Sequence, place: Place, predicted: LabelMap, benchmark: Benchmark) -> Moment:
    truth = sequence.labels(place.index)
    assert truth is not None  # it was scored
    image = _image(sequence, place.index, truth)
    maps = (_as_scored(labels, place.id, benchmark) for labels in (truth, predicted))
    return Moment(place.sequence, place.id, place.index, place.region, image, *maps)


def _as_scored(labels: LabelMap, number: int, benchmark: Benchmark) -> LabelMap:
    """What is this object by the benchmark's rule bears its number; of a rule that merges, nothing else is there."""
    own = benchmark.mask(labels, number)
    return np.where(own, number, labels if benchmark.strict else 0).astype(np.uint8)


def _image(sequence: Sequence, index: int, truth: LabelMap) -> Image | None:
    """The picture, where it is there and of the masks' size: they are scored without it."""
    if isinstance(sequence, FileSequence) and not sequence.image_paths[index].is_file():
        return None
    try:
        image = sequence.image(index)
    except DataError:
        return None
    return image if image.shape[:2] == truth.shape else None
