"""JumpCut's protocol: how wrong a mask is a few frames after one that was given.

As the RGMP paper reports it: from the true mask of key frames 0, 16, ..., 96 the object is followed frame by frame, and
the share of wrong pixels is measured 8, 16 and 32 frames on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as ListOf
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from vossegment.data.sequence import Sequence
from vossegment.errors import DataError
from vossegment.evaluation.report_file import SCHEMA
from vossegment.evaluation.results import result_labels
from vossegment.evaluation.scoring import check_size
from vossegment.tracking.types import Image, LabelMap
from vossegment.whole_files import make_folder
from vossegment.writers.masks import write_labels

KEYS = tuple(range(0, 97, 16))
DISTANCES = (8, 16, 32)
RULE = "key frames 0, 16, ..., 96; wrong pixels in percent of the object's, 8, 16 and 32 frames on"


@dataclass(frozen=True)
class Part:
    """``sequence`` from frame ``begin`` on, ``length`` frames, as a sequence of its own with object 1."""

    sequence: Sequence
    begin: int
    length: int

    @property
    def name(self) -> str:
        return self.sequence.name

    @property
    def objects(self) -> Mapping[int, int]:
        return {1: 0}

    def __len__(self) -> int:
        return self.length

    def image(self, index: int) -> Image:
        return self.sequence.image(self.begin + index)

    def labels(self, index: int) -> LabelMap | None:
        return self.sequence.labels(self.begin + index)


@dataclass(frozen=True)
class ClipErrors:
    """A clip's errors, decimals, by distance and key frame."""

    name: str
    errors: Mapping[int, Mapping[int, float]]

    def mean(self, distance: int) -> float | None:
        """Over the key frames, None where none has a frame so far on."""
        values = list(self.errors[distance].values())
        return sum(values) / len(values) if values else None


def error(truth: LabelMap, predicted: LabelMap) -> float | None:
    """Pixels wrongly told apart, as a share of the object's, None where there is no object."""
    true = np.not_equal(truth, 0)
    size = int(np.count_nonzero(true))
    return int(np.count_nonzero(true ^ np.not_equal(predicted, 0))) / size if size else None


def parts_of(clip: Sequence) -> list[Part]:
    """What is followed: from each key frame with a truth, as far as the longest distance or the clip's end."""
    parts = []
    for key in KEYS:
        if key + min(DISTANCES) < len(clip) and _truth(clip, key).any():
            parts.append(Part(clip, key, min(max(DISTANCES) + 1, len(clip) - key)))
    return parts


def clip_errors(clip: Sequence, masks_of: Callable[[Part, tuple[int, ...]], Mapping[int, LabelMap]]) -> ClipErrors:
    """Errors of a clip; ``masks_of`` gives the masks of a part at some distances from its beginning.

    Raises DataError for a mask of another size.
    """
    found: dict[int, dict[int, float]] = {distance: {} for distance in DISTANCES}
    for part in parts_of(clip):
        asked = tuple(distance for distance in DISTANCES if distance < len(part))
        for distance, predicted in masks_of(part, asked).items():
            truth = _truth(clip, part.begin + distance)
            check_size(predicted, truth.shape, f"{clip.name}, frame {part.begin + distance} from {part.begin}")
            value = error(truth, predicted)
            if value is not None:
                found[distance][part.begin] = value
    return ClipErrors(clip.name, found)


def _truth(clip: Sequence, index: int) -> LabelMap:
    truth = clip.labels(index)
    if truth is None:
        raise DataError(f"{clip.name}: no truth for frame {index}")
    return truth


def _file(results: Path, part: Part, index: int) -> Path:
    """Where a mask lies that was propagated from a part's key frame: ``<clip>/<key frame>/<frame>.png``, both counted
    from the clip's first frame by five digits [ours]."""
    return results / part.name / f"{part.begin:05d}" / f"{part.begin + index:05d}.png"


def from_folder(results: Path) -> Callable[[Part, tuple[int, ...]], Mapping[int, LabelMap]]:
    """Masks that a program wrote. Raises DataError naming one that is missing."""

    def read(part: Part, distances: tuple[int, ...]) -> Mapping[int, LabelMap]:
        return {d: result_labels(_file(results, part, d), merged=True) for d in distances}

    return read


@dataclass
class Tracked:
    """Masks that a tracker makes, kept in ``save_to`` where there is one, and the time they took."""

    track: Callable[[Sequence], Iterable[LabelMap]]
    save_to: Path | None = None
    frames: int = 0
    seconds: float = 0.0

    def __call__(self, part: Part, distances: tuple[int, ...]) -> Mapping[int, LabelMap]:
        began = time.perf_counter()
        labels = list(self.track(part))
        self.seconds += time.perf_counter() - began
        self.frames += len(labels)
        if self.save_to is not None:
            for index, label_map in enumerate(labels):
                path = _file(self.save_to, part, index)
                make_folder(path.parent)
                write_labels(path, label_map)
        return {distance: labels[distance] for distance in distances}


def mean_errors(clips: ListOf[ClipErrors]) -> dict[int, float]:
    """By distance, over the clips that have one [ours: mean of clip means]."""
    means = {distance: [m for clip in clips if (m := clip.mean(distance)) is not None] for distance in DISTANCES}
    return {distance: sum(values) / len(values) for distance, values in means.items() if values}


def errors_json(clips: ListOf[ClipErrors], about: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``report.json``: decimals."""
    return {
        "schema": SCHEMA,
        "benchmark": "jumpcut",
        "rule": RULE,
        **about,
        "global": {f"error@{distance}": value for distance, value in mean_errors(clips).items()},
        "sequences": {
            clip.name: {
                **{f"error@{distance}": clip.mean(distance) for distance in DISTANCES},
                "keys": {str(d): {str(k): v for k, v in values.items()} for d, values in clip.errors.items()},
            }
            for clip in clips
        },
    }


def errors_table(clips: ListOf[ClipErrors]) -> Table:
    """For a terminal, in percent: lower is better."""
    table = Table(title=f"jumpcut: {RULE}")
    table.add_column("clip", no_wrap=True)
    for distance in DISTANCES:
        table.add_column(f"error@{distance}", justify="right")
    for clip in clips:
        table.add_row(Text(clip.name), *(_percent(clip.mean(distance)) for distance in DISTANCES))
    means = mean_errors(clips)
    table.add_section()
    table.add_row("mean", *(_percent(means.get(distance)) for distance in DISTANCES), style="bold")
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
