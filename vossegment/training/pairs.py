"""Training pairs for the Siamese networks: two frames of a clip, template and search crop, and their targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import Dataset

from vossegment.errors import DataError
from vossegment.tracking.anchors import MASK_FIRST, RESPONSE, SEARCH, STRIDE, TEMPLATE, anchor_grid
from vossegment.tracking.geometry import FloatArray
from vossegment.tracking.types import Image
from vossegment.training import augment
from vossegment.training.clips import ClipMaker
from vossegment.training.library import EdgeBox, Mask, tight_box
from vossegment.training.maps import invert, similarity
from vossegment.training.shots import Shot
from vossegment.training.targets import (
    MOST_POSITIVES,
    UNKNOWN,
    anchor_targets,
    mask_windows,
    sample_cells,
    similar_cells,
)

CellsFrom = Literal["overlap", "anchors", "centre"]
_MOST_DRAWS = 200


@dataclass(frozen=True)
class PairSettings:
    """How crops are drawn from clips. Defaults as SiamMask's code, on which E3SN builds [o]."""

    template_shift: float = 4
    template_scale: float = 0.05
    search_shift: float = 64
    search_scale: float = 0.18
    grey: float = 0.25
    blur: float = 0.18
    soft: float = 0.0
    """Share of pairs shown as small objects are: enlarged from a quarter to seven tenths of the size [ours]."""
    colour: float = 0.25  # [ours]
    turn: float = 0.0
    """Degrees by which crops are turned, at most."""
    flip: float = 0.5  # [ours]
    negative_pairs: float = 0.0
    """Share of pairs whose search crop shows another clip, without the target."""
    search: int = SEARCH
    """Side of a search crop: 255, or 143 for nine cells."""
    apart: bool = False
    """Scales are drawn for the two axes apart, as SiamMask's code does."""
    cells_from: CellsFrom = "overlap"
    """Which cells get a mask: "overlap" samples as E3SN does, of the next three numbers each; "anchors" takes those
    of the anchors kept as positive, "centre" those that are similar (SiamMask, three and two branches)."""
    positives: int = 3
    near: int = 0
    negatives: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for what no pair can be drawn with."""
        if self.search < TEMPLATE or (self.search - TEMPLATE) % STRIDE:
            raise ValueError(f"'search': {self.search}, wanted 127 and a multiple of 8 more")

    @property
    def cells(self) -> int:
        """Cells a sample, as many as there may be."""
        return self.positives + self.near + self.negatives if self.cells_from == "overlap" else MOST_POSITIVES

    @property
    def response(self) -> int:
        """Cells a side of the response."""
        return RESPONSE if self.search == SEARCH else (self.search - TEMPLATE) // STRIDE + 1


def context_window(
    box: EdgeBox,
    size: int,
    rng: Generator,
    *,
    shift: float,
    scale: float,
    turn: float,
    mirrored: bool,
    apart: bool = False,
) -> FloatArray:
    """Window of ``size`` pixels in which ``box`` has a template's scale, moved by a random shift, scale and turn.

    ``shift`` in window pixels; ``scale`` is drawn for both axes together, or ``apart``. Maps window pixels to shot
    pixels.
    """
    w, h = box[2] - box[0], box[3] - box[1]
    side = np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))
    across = 1 + rng.uniform(-scale, scale)
    zoom = TEMPLATE / side * across
    dx, dy = rng.uniform(-shift, shift, 2)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    placed = (size / 2 + float(dx), size / 2 + float(dy))
    forward = similarity(middle, placed, zoom, rng.uniform(-turn, turn), mirrored)
    if apart:
        stretch = (1 + rng.uniform(-scale, scale)) / across
        forward[1] = forward[1] * stretch
        forward[1, 2] += placed[1] * (1 - stretch)
    return invert(forward)


class PairDataset(Dataset[dict[str, Tensor]]):
    """Pair ``i`` is a pure function of ``(seed, i)``: the same in any order, process or resumed run."""

    def __init__(self, maker: ClipMaker, settings: PairSettings, *, pairs: int, seed: int) -> None:
        self.maker, self.settings, self.pairs, self.seed = maker, settings, pairs, seed

    def __len__(self) -> int:
        return self.pairs

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, index))
        for _ in range(_MOST_DRAWS):  # a clip whose target is hidden teaches nothing: draw on from the same stream
            sample = self._draw(rng)
            if sample is not None:
                return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in sample.items()}
        raise DataError(f"no target to be seen in {_MOST_DRAWS} clips of the training data; are its masks right?")

    def _draw(self, rng: Generator) -> dict[str, Any] | None:
        s = self.settings
        reference, target = self.maker.clip(rng, 2)
        negative = rng.random() < s.negative_pairs
        if negative:
            target = self.maker.clip(rng, 2)[1]
            if target.track is reference.track:
                return None
        mirrored = rng.random() < s.flip
        template, visible = self._crop(reference, TEMPLATE, rng, s.template_shift, s.template_scale, mirrored)
        search, mask = self._crop(target, s.search, rng, s.search_shift, s.search_scale, mirrored)
        if not _shown(visible, 0.02) or not _shown(mask, 0.008):
            return None
        template, search = self._colours(template, search, rng)
        box = None if negative else tight_box(mask)
        centred = (
            None if box is None else ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1])
        )
        grid = anchor_grid(s.response, s.search)
        anchors = anchor_targets(centred, rng, anchors=grid)
        similar = similar_cells(None if centred is None else centred[:2], grid)
        if s.cells_from == "overlap":
            cells, signs = sample_cells(
                anchors.overlaps, rng, positives=s.positives, negatives=s.negatives, near=s.near
            )
        else:
            positive = anchors.labels.max(0) == 1 if s.cells_from == "anchors" else similar == 1
            cells = np.argwhere(positive)[: s.cells]
            signs = np.ones(len(cells), np.int8)
        # Another clip's object is no target: there is nothing to cut out.
        first = MASK_FIRST if s.search == SEARCH else 0
        windows = mask_windows(np.zeros_like(mask) if negative else mask, cells, first=first)
        missing = s.cells - len(cells)
        return {
            "template": template,
            "search": search,
            "labels": anchors.labels,
            "all_labels": anchors.all_labels,
            "deltas": anchors.deltas,
            "similar": similar,
            "cells": np.pad(cells, ((0, missing), (0, 0))),
            "signs": np.pad(signs, (0, missing)),  # 0: no cell here
            "masks": np.pad(windows, ((0, missing), (0, 0), (0, 0)), constant_values=UNKNOWN),
        }

    def _crop(
        self, shot: Shot, size: int, rng: Generator, shift: float, scale: float, mirrored: bool
    ) -> tuple[Image, Mask]:
        turn = self.settings.turn
        apart = self.settings.apart
        window = context_window(
            shot.box, size, rng, shift=shift, scale=scale, turn=turn, mirrored=mirrored, apart=apart
        )
        return shot.render(window, size)

    def _colours(self, template: Image, search: Image, rng: Generator) -> tuple[Image, Image]:
        s = self.settings
        if s.colour:
            template, search = augment.colour(template, rng, s.colour), augment.colour(search, rng, s.colour)
        if rng.random() < s.grey:
            template, search = augment.grey(template), augment.grey(search)
        if rng.random() < s.soft:
            share = rng.uniform(0.25, 0.7)
            template, search = augment.soften(template, share), augment.soften(search, share)
        if rng.random() < s.blur:
            search = augment.motion_blur(search, rng)
        return template, search


def _shown(mask: Mask, share: float) -> bool:
    """Whether the target covers at least ``share`` of the crop."""
    return float((mask > 127).mean()) >= share
