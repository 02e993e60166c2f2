"""Track a video: frames -> tracker -> label maps and records. What becomes of them is ``delivery``'s."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
import torch
from torch import Tensor

from vossegment.data.sequence import Sequence as LabelledSequence
from vossegment.errors import DataError, InputError, one_of
from vossegment.media.ahead import ahead
from vossegment.media.open import open_source
from vossegment.tracking.merge import label_map
from vossegment.tracking.prompts import BoxPrompt, MaskPrompt, Masks, Prompt, check, prompts_of
from vossegment.tracking.rotated import read_out
from vossegment.tracking.types import (
    Box,
    Frame,
    LabelMap,
    Lost,
    Mask,
    ObjectRecord,
    Prompts,
    Result,
    Rotated,
    Status,
    TrackedFrame,
    Tracker,
)

Start = Literal["box", "mask"]
"""What a data set's objects are started from: the tight box of the first mask, or the mask."""


@dataclass
class Stages:
    """Seconds spent in each stage so far; decoding and writing run beside the rest."""

    decode: float = 0.0
    step: float = 0.0
    merge: float = 0.0
    write: float = 0.0
    frames: int = 0


def follow(
    frames: Iterable[Frame],
    tracker: Tracker,
    prompts: Sequence[Prompt],
    stages: Stages | None = None,
    *,
    lost: Lost = "empty",
    rotated: Rotated | None = None,
) -> Iterator[TrackedFrame]:
    """The objects of ``prompts`` through ``frames``, one answer a frame.

    An object joins at its prompt's frame; a later prompt of the same id starts it anew there. In that frame, a mask
    given is the mask shown, before any other object's; of two that overlap, the later one is. ``lost`` says what a
    lost object's mask is; with "keep", its last region is shown where no other object is. ``rotated``: the kind of box
    that is read out besides.
    """
    spent = stages if stages is not None else Stages()
    objects = _Objects(tracker)
    seen = _LastSeen() if lost == "keep" else None
    for frame in frames:
        began = time.perf_counter()
        height, width = frame.image.shape[:2]
        new = [p for p in prompts if p.frame == frame.index]
        result = objects.advance(torch.from_numpy(frame.image).to(tracker.device), new)
        stepped = time.perf_counter()
        labels = _labels(result, objects.ids, height, width, tracker.mask_threshold)
        for prompt in new:
            if isinstance(prompt, MaskPrompt):
                labels[prompt.mask] = prompt.id
        records = _records(result, labels, objects.ids, {p.id for p in new})
        if seen is not None:
            records = seen.kept(labels, records)
        if rotated is not None and result is not None:
            records = _with_boxes(
                records, labels, rotated, dict(zip(objects.ids, result.proposed.tolist(), strict=True))
            )
        spent.step += stepped - began
        spent.merge += time.perf_counter() - stepped
        spent.frames += 1
        yield TrackedFrame(frame.index, frame.time, frame.image, labels, records)


@dataclass
class _Objects:
    """The objects followed so far: the tracker's state, and their ids in its order."""

    tracker: Tracker
    ids: tuple[int, ...] = ()
    state: Any = None

    def advance(self, picture: Tensor, new: Sequence[Prompt]) -> Result | None:
        """Their answers in the next frame, ``(H, W, 3)``, in the order of ``ids``; the ``new`` ones join or begin anew.

        The masks of those given by mask are left empty.
        """
        results: list[Result] = []
        if new:
            self._drop({p.id for p in new})
        if self.state is not None:
            self.state, result = self.tracker.step(self.state, picture)
            results.append(result)
        for group in _by_kind(new):
            added = self.tracker.start(picture, _prompts(group))
            answer = self.tracker.step(added, picture)[1]  # the mask in the prompt's own frame
            if isinstance(group[0], MaskPrompt):
                answer = replace(answer, masks=torch.zeros_like(answer.masks), lost=torch.zeros_like(answer.lost))
            results.append(answer)
            self.state = added if self.state is None else self.state.join(added)
            self.ids = (*self.ids, *(p.id for p in group))
        return _joined(results)

    def _drop(self, ids: set[int]) -> None:
        keep = [i for i, number in enumerate(self.ids) if number not in ids]
        self.state = self.state[keep] if self.state is not None and keep else None
        self.ids = tuple(self.ids[i] for i in keep)


def _by_kind(prompts: Sequence[Prompt]) -> list[Sequence[Prompt]]:
    """Boxes and masks by themselves, as a tracker starts from one kind at a time; no empty group."""
    boxes = [p for p in prompts if isinstance(p, BoxPrompt)]
    masks = [p for p in prompts if isinstance(p, MaskPrompt)]
    return [group for group in (boxes, masks) if group]


def _prompts(new: Sequence[Prompt]) -> Prompts:
    """``new``, all of one kind, as the tracker takes them."""
    edges = [(x, y, x + w, y + h) for x, y, w, h in (p.box for p in new)]
    given = [p.mask for p in new if isinstance(p, MaskPrompt)]
    masks = torch.from_numpy(np.stack(given)).to(torch.float32) if given else None
    return Prompts(tuple(p.id for p in new), torch.tensor(edges, dtype=torch.float32), masks)


def _joined(results: Sequence[Result]) -> Result | None:
    if len(results) < 2:
        return results[0] if results else None
    return Result(**{f.name: torch.cat([getattr(r, f.name) for r in results]) for f in fields(Result)})


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
        tight, area = _extent(labels, number)
        status: Status = "lost" if lost[i] or not area else "prompted" if number in prompted else "tracked"
        x0, y0, x1, y1 = boxes[i]
        records.append(ObjectRecord(number, tight, scores[i], area, status, (x0, y0, x1 - x0, y1 - y0)))
    return tuple(sorted(records, key=lambda r: r.id))


def _with_boxes(
    records: Sequence[ObjectRecord], labels: LabelMap, kind: Rotated, proposed: Mapping[int, Sequence[float]]
) -> tuple[ObjectRecord, ...]:
    """The records with a box read out of each mask; ``proposed`` are the tracker's own, x0 y0 x1 y1, by id."""
    made = []
    for record in records:
        x, y, w, h = map(int, record.box or (0, 0, 0, 0))
        x0, y0, x1, y1 = proposed[record.id]
        mask = np.equal(labels[y : y + h, x : x + w], record.id)
        corners = read_out(mask, kind, (x0, y0, x1 - x0, y1 - y0), (x, y))
        made.append(replace(record, rotated=tuple((float(a), float(b)) for a, b in corners)))
    return tuple(made)


def _extent(labels: LabelMap, number: int) -> tuple[Box | None, int]:
    """Tightest box round an object, None where it has no pixel, and its area."""
    mask = np.equal(labels, number).view(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    area = int(np.count_nonzero(mask[y : y + h, x : x + w]))
    return ((float(x), float(y), float(w), float(h)) if area else None), area


@dataclass
class _LastSeen:
    """Where each object was when it was last seen, the latest last."""

    regions: dict[int, tuple[slice, slice, Mask]] = field(default_factory=dict)

    def kept(self, labels: LabelMap, records: Sequence[ObjectRecord]) -> tuple[ObjectRecord, ...]:
        """The records after the regions of lost objects were put into ``labels``, where no other object is."""
        lost = set()
        for record in records:
            if record.status == "lost" or record.box is None:
                lost.add(record.id)
                continue
            x, y, w, h = map(int, record.box)
            rows, columns = slice(y, y + h), slice(x, x + w)
            self.regions.pop(record.id, None)
            self.regions[record.id] = rows, columns, np.equal(labels[rows, columns], record.id)
        for number, (rows, columns, region) in reversed(self.regions.items()):
            if number in lost:
                part = labels[rows, columns]
                part[region & (part == 0)] = number
        return tuple(self._measured(record, labels) if record.id in lost else record for record in records)

    def _measured(self, record: ObjectRecord, labels: LabelMap) -> ObjectRecord:
        box, area = _extent(labels, record.id)
        return replace(record, box=box, area=area)


def _first_masks(sequence: LabelledSequence) -> Iterator[MaskPrompt]:
    for number, index in sequence.objects.items():
        labels = sequence.labels(index)
        mask = None if labels is None else np.equal(labels, number)
        if mask is None or not mask.any():
            raise DataError(f"{sequence.name}: no mask of object {number} in frame {index}")
        yield MaskPrompt(number, mask, index)


def first_boxes(sequence: LabelledSequence) -> list[BoxPrompt]:
    """The tight box of each object's first mask: what a benchmark gives a tracker that starts from boxes.

    Raises DataError where that mask is not known or empty.
    """
    return [BoxPrompt(p.id, p.box, p.frame) for p in _first_masks(sequence)]


def first_masks(sequence: LabelledSequence) -> list[MaskPrompt]:
    """Each object's first mask: what a benchmark gives a tracker that starts from masks.

    Raises DataError where that mask is not known, empty, or of another size than its frame.
    """
    prompts = list(_first_masks(sequence))
    sizes = {index: sequence.image(index).shape[:2] for index in {p.frame for p in prompts}}
    for prompt in prompts:
        (h, w), (height, width) = prompt.mask.shape, sizes[prompt.frame]
        if (h, w) != (height, width):
            fault = f"the mask of frame {prompt.frame} is {w}x{h}, its image {width}x{height}"
            raise DataError(f"{sequence.name}: {fault}")
    return prompts


def segment(
    sequence: LabelledSequence, tracker: Tracker, stages: Stages | None = None, start: Start = "box"
) -> Iterator[LabelMap]:
    """Label maps of a data set's sequence, each object started from its first box or mask; reading runs ahead."""
    prompts: Sequence[Prompt] = first_boxes(sequence) if start == "box" else first_masks(sequence)
    frames = (Frame(i, float(i), sequence.image(i)) for i in range(len(sequence)))
    with ahead(frames) as decoded:
        for answer in follow(decoded, tracker, prompts, stages):
            yield answer.labels


def track(
    source: str | Path,
    tracker: Tracker,
    *,
    boxes: Sequence[Box] = (),
    masks: Masks = (),
    ids: Sequence[int] | None = None,
    lost: Lost = "empty",
    rotated: Rotated | None = None,
) -> Iterator[TrackedFrame]:
    """Follows the objects in ``boxes`` and ``masks`` of the first frame through a video file or a folder of images.

    ``boxes`` are x, y, w, h in pixels. ``masks`` is a list of ``(H, W)`` arrays, bool or uint8, an object each where
    it is not 0; or one label map ``(H, W)`` uint8, whose objects keep their ids (a single label 255 is no id). The
    others are numbered 1, 2, ..., boxes first, or named by ``ids``. ``lost``: a lost object's mask is empty, or the
    last one held ("keep"). ``rotated``: "box", "minmax", "mbr" or "opt" reads such a box out of each answer.

    Yields a ``TrackedFrame`` a frame: ``index``, ``time`` in seconds, ``image``, ``labels`` ``(H, W)`` uint8 and
    ``objects``, a record each. Raises InputError for a source, a box or a mask that cannot be used.
    """
    if lost not in get_args(Lost):
        raise InputError(one_of("mask of a lost object", lost, get_args(Lost)))
    if rotated is not None and rotated not in get_args(Rotated):
        raise InputError(one_of("kind of box", rotated, get_args(Rotated)))
    given = prompts_of(boxes, masks, ids)
    opened = open_source(source)
    prompts, _ = check(given, opened.width, opened.height, opened.frames)

    def run() -> Iterator[TrackedFrame]:
        with opened, ahead(opened) as frames:
            yield from follow(frames, tracker, prompts, lost=lost, rotated=rotated)

    return run()
