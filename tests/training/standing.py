"""Chains of a library, settings to begin from, and what tests of chains ask of pictures."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from vossegment.training.chains import ChainDataset, ChainSettings
from vossegment.training.clips import ClipMaker, Mix
from vossegment.training.library import Library

SMALL = ChainSettings(size=64)
STANDING = Mix(video=1.0, still=0.0, composed=0.0, video_extras=0.0)
ONWARD = replace(SMALL, start=0.0, exact=0.0, lost=0.0, absent=0.0, rivals=0.0)
THREE = ((0, 3),)


def chains(
    library: Library, settings: ChainSettings = SMALL, *, seed: int = 0, batch: int = 4, mix: Mix | None = None
) -> ChainDataset:
    return ChainDataset(ClipMaker(library, mix or Mix()), settings, chains=40, batch=batch, seed=seed)


def shared(one: Tensor, other: Tensor) -> float:
    """IoU of the pixels over one half."""
    a, b = one > 127, other > 127
    return float((a & b).sum() / (a | b).sum())
