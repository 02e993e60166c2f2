"""A tracker as VOT speaks to it: a true region in, a region a frame out."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import numpy as np

from vossegment.data.vot import Region, VotSequence, start_box
from vossegment.evaluation.vot.supervised import Begin
from vossegment.media.ahead import ahead
from vossegment.pipeline import Stages, follow
from vossegment.tracking.prompts import BoxPrompt
from vossegment.tracking.siamese import SiameseTracker
from vossegment.tracking.siamfc import SiamFCTracker
from vossegment.tracking.types import Frame, Rotated, Tracker


def regions(
    frames: Iterable[Frame],
    tracker: Tracker,
    truth: Region,
    kind: Rotated,
    *,
    first: int = 0,
    stages: Stages | None = None,
) -> Generator[Region, None, None]:
    """The region ``(4, 2)`` in each of ``frames``, the first of which is frame ``first`` with the object in ``truth``.

    ``kind`` is the box that is read out. A frame is asked for when its answer is. VOT's numbers are taken for ours,
    pixels by their edges [ours: the masks of both shipped models fit the truth of `bag` best so; SiamMask's program
    counts from the centre of the first pixel, half a pixel less].
    """
    prompt = BoxPrompt(1, start_box(truth), first)
    for answer in follow(frames, tracker, [prompt], stages, rotated=kind):
        corners = answer.objects[0].rotated
        assert corners is not None, "asked for"
        yield np.array(corners, np.float64)


def has_masks(tracker: Tracker) -> bool:
    """Whether there is a mask to read a box out of; where there is none, the tracker's own box stands for it."""
    if isinstance(tracker, SiameseTracker):
        return tracker.network.masked
    return not isinstance(tracker, SiamFCTracker)


def beginning(tracker: Tracker, kind: Rotated, stages: Stages | None = None) -> Begin:
    """How ``supervised`` begins this tracker; frames are read ahead, and ``stages`` adds up the time of its steps."""

    def begin(sequence: VotSequence, first: int) -> Generator[Region, None, None]:
        frames = (Frame(i, float(i), sequence.image(i)) for i in range(first, len(sequence)))
        with ahead(frames) as decoded:
            answers = regions(decoded, tracker, sequence.regions[first], kind, first=first, stages=stages)
            next(answers)  # the answer in the frame of the truth
            yield from answers

    return begin
