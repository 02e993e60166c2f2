"""Track a video: frames -> tracker -> label maps and records. What becomes of them is ``delivery``'s."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from vossegment.data.sequence import Sequence as LabelledSequence
from vossegment.errors import DataError, InputError
from vossegment.media.ahead import ahead
from vossegment.media.open import open_source
from vossegment.tracking.merge import label_map
from vossegment.tracking.prompts import BoxPrompt, check
from vossegment.tracking.types import (
    Box,
    Frame,
    LabelMap,
    ObjectRecord,
    Prompts,
    Result,
    Status,
    TrackedFrame,
    Tracker,
)


@dataclass
class Stages:
    """Seconds spent in each stage so far; decoding and writing run beside the rest."""

    decode: float = 0.0
    step: float = 0.0
    merge: float = 0.0
    write: float = 0.0
    frames: int = 0


def follow(
    frames: Iterable[Frame], tracker: Tracker, prompts: Sequence[BoxPrompt], stages: Stages | None = None
) -> Iterator[TrackedFrame]:
    """The objects of ``prompts`` through ``frames``, one answer a frame.

    An object joins at its prompt's frame; a later prompt of the same id starts it anew there.
    """
    spent = stages if stages is not None else Stages()
    state: Any = None
    ids: tuple[int, ...] = ()
    for frame in frames:
        began = time.perf_counter()
        height, width = frame.image.shape[:2]
        picture = torch.from_numpy(frame.image).to(tracker.device)
        new = [p for p in prompts if p.frame == frame.index]
        results: list[Result] = []
        if new:
            going = {p.id for p in new}
            keep = [i for i, number in enumerate(ids) if number not in going]
            state = state[keep] if state is not None and keep else None
            ids = tuple(ids[i] for i in keep)
        if state is not None:
            state, result = tracker.step(state, picture)
            results.append(result)
        if new:
            added = tracker.start(picture, _prompts(new))
            results.append(tracker.step(added, picture)[1])  # the mask in the prompt's own frame
            state = added if state is None else state.join(added)
            ids = (*ids, *(p.id for p in new))
        result_of_all = _joined(results)
        stepped = time.perf_counter()
        labels = _labels(result_of_all, ids, height, width, tracker.mask_threshold)
        records = _records(result_of_all, labels, ids, {p.id for p in new})
        spent.step += stepped - began
        spent.merge += time.perf_counter() - stepped
        spent.frames += 1
        yield TrackedFrame(frame.index, frame.time, frame.image, labels, records)


def _prompts(new: Sequence[BoxPrompt]) -> Prompts:
    edges = [(x, y, x + w, y + h) for x, y, w, h in (p.box for p in new)]
    return Prompts(tuple(p.id for p in new), torch.tensor(edges, dtype=torch.float32))


def _joined(results: Sequence[Result]) -> Result | None:
    if len(results) < 2:
        return results[0] if results else None
    first, second = results
    return Result(
        torch.cat([first.boxes, second.boxes]),
        torch.cat([first.scores, second.scores]),
        torch.cat([first.masks, second.masks]),
        torch.cat([first.windows, second.windows]),
        torch.cat([first.lost, second.lost]),
    )


def _labels(result: Result | None, ids: Sequence[int], height: int, width: int, threshold: float) -> LabelMap:
    if result is None:
        return np.zeros((height, width), np.uint8)
    return label_map(result, ids, height, width, threshold=threshold)


def _records(
    result: Result | None, labels: LabelMap, ids: Sequence[int], prompted: set[int]
) -> tuple[ObjectRecord, ...]:
    """A record for each object, ordered by id."""
    if result is None:
        return ()
    boxes, scores, lost = result.boxes.tolist(), result.scores.tolist(), result.lost.tolist()
    records = []
    for i, number in enumerate(ids):
        mask = (labels == number).view(np.uint8)
        x, y, w, h = cv2.boundingRect(mask)
        area = int(np.count_nonzero(mask[y : y + h, x : x + w]))
        status: Status = "lost" if lost[i] or not area else "prompted" if number in prompted else "tracked"
        x0, y0, x1, y1 = boxes[i]
        tight: Box | None = (float(x), float(y), float(w), float(h)) if area else None
        records.append(ObjectRecord(number, tight, scores[i], area, status, (x0, y0, x1 - x0, y1 - y0)))
    return tuple(sorted(records, key=lambda r: r.id))


def first_boxes(sequence: LabelledSequence) -> list[BoxPrompt]:
    """The tight box of each object's first mask: what a benchmark gives a tracker that starts from boxes.

    Raises DataError where that mask is not known or empty.
    """
    prompts = []
    for number, index in sequence.objects.items():
        labels = sequence.labels(index)
        mask = None if labels is None else np.equal(labels, number).view(np.uint8)
        x, y, w, h = (0, 0, 0, 0) if mask is None else cv2.boundingRect(mask)
        if not w:
            raise DataError(f"{sequence.name}: no mask of object {number} in frame {index}")
        prompts.append(BoxPrompt(number, (float(x), float(y), float(w), float(h)), index))
    return prompts


def segment(sequence: LabelledSequence, tracker: Tracker, stages: Stages | None = None) -> Iterator[LabelMap]:
    """Label maps of a data set's sequence, each object started from its first box; reading runs ahead."""
    frames = (Frame(i, float(i), sequence.image(i)) for i in range(len(sequence)))
    with ahead(frames) as decoded:
        for answer in follow(decoded, tracker, first_boxes(sequence), stages):
            yield answer.labels


def track(
    source: str | Path, tracker: Tracker, *, boxes: Sequence[Box], ids: Sequence[int] | None = None
) -> Iterator[TrackedFrame]:
    """Follows ``boxes`` (x, y, w, h in pixels of the first frame) through a video file or a folder of images.

    Yields a ``TrackedFrame`` a frame: ``index``, ``time`` in seconds, ``image``, ``labels`` ``(H, W)`` uint8 and
    ``objects``, a record each. Raises InputError for a source or a box that cannot be used.
    """
    numbers = range(1, len(boxes) + 1) if ids is None else ids
    if len(numbers) != len(boxes):
        raise InputError(f"{len(numbers)} ids for {len(boxes)} boxes; give one an object")
    opened = open_source(source)
    given = [BoxPrompt(n, b) for n, b in zip(numbers, boxes, strict=True)]
    prompts, _ = check(given, opened.width, opened.height, opened.frames)

    def run() -> Iterator[TrackedFrame]:
        with opened, ahead(opened) as frames:
            yield from follow(frames, tracker, prompts)

    return run()
