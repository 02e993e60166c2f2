"""How well a kind of box can stand for a turned object: the rows of SiamMask's Table 1 (METRICS, section 7).

Nothing is tracked. The oracles make their boxes from the truth alone; a tracker gets, in every frame, a search window
that lies near the truth, and answers once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import cv2
import numpy as np
import torch

from vossegment.data.vot import Region, VotSequence, frame_size, polygon_area, start_box
from vossegment.errors import InputError
from vossegment.evaluation.vot.measures import Row
from vossegment.evaluation.vot.polygons import overlap
from vossegment.evaluation.vot.tracker import has_masks
from vossegment.tracking.anchors import TEMPLATE
from vossegment.tracking.geometry import context_side
from vossegment.tracking.merge import label_map
from vossegment.tracking.rotated import read_out, upright
from vossegment.tracking.siamese import SiameseState, SiameseTracker
from vossegment.tracking.siamfc import SiamFCTracker
from vossegment.tracking.types import Prompts, Rotated, Tracker

MOST_SHIFT = 16.0
"""[p] Pixels of the search crop by which it lies beside the object, at most, along each axis."""
MOST_SCALE = 0.25
"""[p] Power of 2 by which the crop is larger or smaller, at most."""


def fixed_ratio(region: Region, first: Region) -> Region:
    """An upright box of the true centre and area, as wide for its height as the box round the ``first`` region."""
    width, height = np.ptp(first, axis=0)
    ratio = width / height if height > 0 else 1.0
    area = polygon_area(region)
    w, h = math.sqrt(area * ratio), math.sqrt(area / ratio) if ratio > 0 else 0.0
    x, y = region.mean(0)
    return np.asarray(upright(x - w / 2, y - h / 2, w, h), np.float64)


def min_max(region: Region, first: Region) -> Region:
    """The upright box round the truth."""
    (x0, y0), (x1, y1) = region.min(0), region.max(0)
    return np.asarray(upright(x0, y0, x1 - x0, y1 - y0), np.float64)


def smallest(region: Region, first: Region) -> Region:
    """The smallest box round the truth, turned as it may be: the truth itself, where that is a rectangle."""
    return np.asarray(cv2.boxPoints(cv2.minAreaRect(region.astype(np.float32))), np.float64)


ORACLES: Mapping[str, Callable[[Region, Region], Region]] = MappingProxyType(
    {"fixed-ratio oracle": fixed_ratio, "min-max oracle": min_max, "MBR oracle": smallest}
)
"""Row to the box made from a frame's true region and the first frame's."""


def oracle_rows(sequences: Iterable[VotSequence]) -> tuple[Row, ...]:
    """The rows that need no tracker: every frame's true region against the box made from it."""
    found: dict[str, list[float]] = {name: [] for name in ORACLES}
    for sequence in sequences:
        size = frame_size(sequence)
        for region in sequence.regions:
            for name, make in ORACLES.items():
                found[name].append(overlap(make(region, sequence.regions[0]), region, *size))
    return tuple(Row.of(name, values) for name, values in found.items())


def tracker_rows(
    sequences: Iterable[VotSequence],
    tracker: Tracker,
    *,
    seed: int = 0,
    on_sequence: Callable[[VotSequence], None] | None = None,
) -> tuple[Row, ...]:
    """A row for each kind of box that the tracker gives: one sample a frame, drawn from ``seed`` [ours].

    The object is what the first frame's truth says; in each later frame the search window is laid round the truth's
    upright box, beside it by up to ``MOST_SHIFT`` and larger or smaller by up to ``MOST_SCALE``. What is found there is
    ranked by the tracker's own settings. Raises InputError for a tracker that has no search window.
    """
    kinds = kinds_of(tracker)
    found: dict[Rotated, list[float]] = {kind: [] for kind in kinds}
    for sequence in sequences:
        size = frame_size(sequence)
        for index, boxes in _samples(sequence, tracker, kinds, seed):
            for kind, box in boxes.items():
                found[kind].append(overlap(box, sequence.regions[index], *size))
        if on_sequence is not None:
            on_sequence(sequence)
    return tuple(Row.of(kind, values) for kind, values in found.items())


def kinds_of(tracker: Tracker) -> tuple[Rotated, ...]:
    """The kinds of box that a tracker with a search window gives. Raises InputError for one that has none."""
    if isinstance(tracker, SiameseTracker | SiamFCTracker):
        return ("box", "minmax", "mbr", "opt") if has_masks(tracker) else ("box",)
    raise InputError("this model has no search window to lay beside the object; choose --model e3sn or siammask")


def _samples(
    sequence: VotSequence, tracker: Tracker, kinds: Iterable[Rotated], seed: int
) -> Iterator[tuple[int, dict[Rotated, Region]]]:
    """Frame and boxes of each sample; a sequence's are the same whatever others are run."""
    rng = np.random.default_rng([seed, *sequence.name.encode()])
    begun: SiameseState | None = None
    for index in range(len(sequence)):
        image = sequence.image(index)
        frame = torch.from_numpy(image).to(tracker.device)
        x, y, w, h = start_box(sequence.regions[index])
        if begun is None:
            begun = tracker.start(frame, Prompts((1,), torch.tensor([[x, y, x + w, y + h]])))
            continue
        sizes = torch.tensor([[w, h]]) * 2.0 ** float(rng.uniform(-MOST_SCALE, MOST_SCALE))
        shift = torch.tensor(rng.uniform(-MOST_SHIFT, MOST_SHIFT, (1, 2)), dtype=torch.float32)
        # From pixels of the crop to those of the frame.
        centres = torch.tensor([[x + w / 2, y + h / 2]]) + shift * context_side(sizes)[:, None] / TEMPLATE
        placed = replace(begun, centres=centres.to(tracker.device), sizes=sizes.to(tracker.device))
        result = tracker.step(placed, frame)[1]
        labels = label_map(result, (1,), *image.shape[:2], threshold=tracker.mask_threshold)
        x0, y0, x1, y1 = result.proposed[0].tolist()
        mask = np.equal(labels, 1)
        yield index, {kind: read_out(mask, kind, (x0, y0, x1 - x0, y1 - y0)).astype(np.float64) for kind in kinds}
