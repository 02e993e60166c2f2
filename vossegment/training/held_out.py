"""What was not trained on: how well a network follows it, and how well it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as ListOf
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vossegment.data.sequence import Sequence
from vossegment.evaluation.benchmarks import find_benchmark
from vossegment.evaluation.measures import region_similarity
from vossegment.evaluation.scoring import check_sequence, score_sequence
from vossegment.pipeline import first_boxes, follow, segment
from vossegment.tracking.prompts import BoxPrompt
from vossegment.tracking.types import Frame, Image, LabelMap, Tracker
from vossegment.training.library import worth_showing

RULE = find_benchmark("davis2017")
"""How held-out videos are scored."""


@dataclass(frozen=True)
class HeldOut:
    """``videos``: J mean by name; ``first_masks``: mean IoU of the masks that boxes on ``stills`` objects of still
    images give."""

    videos: Mapping[str, float]
    first_masks: float
    stills: int

    @property
    def mean(self) -> float:
        """J mean over the videos; not a number where there are none."""
        return float(np.mean(list(self.videos.values()))) if self.videos else math.nan

    def summary(self) -> dict[str, float]:
        """All figures by name, for a weights file's header."""
        still = {f"first masks of {self.stills} objects in stills": self.first_masks} if self.stills else {}
        return {**self.videos, **still}


def check_held_out(sequences: Iterable[Sequence]) -> None:
    """Raises DataError for what cannot be scored: told before the training, not after."""
    for sequence in sequences:
        if len(sequence) > 1:
            check_sequence(sequence, RULE)
        first_boxes(sequence)


def score_held_out(
    sequences: ListOf[Sequence],
    tracker: Tracker,
    on_video: Callable[[Sequence, list[LabelMap]], None] = lambda sequence, labels: None,
) -> HeldOut:
    """Tracks the videos from their first boxes, and begins on the stills. ``on_video`` is shown what came of each."""
    videos: dict[str, float] = {}
    for sequence in (s for s in sequences if len(s) > 1):
        labels = list(segment(sequence, tracker))
        videos[sequence.name] = score_sequence(sequence, labels, RULE).region.mean
        on_video(sequence, labels)
    first = [overlap for s in sequences if len(s) == 1 for overlap in first_masks(s, tracker)]
    return HeldOut(videos, float(np.mean(first)) if first else 0.0, len(first))


def first_masks(still: Sequence, tracker: Tracker) -> list[float]:
    """IoU of each object's mask in frame 0, started from its tight box by itself."""
    labels = still.labels(0)
    if labels is None:
        return []
    shown = [(prompt, np.equal(labels, prompt.id)) for prompt in first_boxes(still)]
    return [first_overlap(still.image(0), truth, prompt, tracker) for prompt, truth in shown if worth_showing(truth)]


def first_overlap(image: Image, truth: npt.NDArray[np.bool_], prompt: BoxPrompt, tracker: Tracker) -> float:
    """IoU of ``truth`` ``(H, W)`` and the mask that a box on ``image`` ``(H, W, 3)`` gives, by itself."""
    answer = next(iter(follow([Frame(0, 0.0, image)], tracker, [prompt])))
    return region_similarity(truth, np.equal(answer.labels, prompt.id))
