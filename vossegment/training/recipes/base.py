"""What every recipe says, whatever it trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vossegment.training.clips import Mix


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a training run depends on besides the data. Sources: [p] the paper, [o] its official code, [ours]."""

    name: str
    model: str
    steps: int
    batch: int
    optimiser: Literal["sgd", "adamw"]
    rate: float
    final_rate: float
    decay: Literal["log", "cosine"]
    trunk_factor: float
    """The trunk's learning rate is this times ``rate``."""
    warm_up: int = 0
    weight_decay: float = 1e-4
    clip: float = 10.0
    average: float = 0.0
    """Decay of the exponential moving average of the weights that are saved; 0: none."""
    frozen_stages: int = 0
    """Leading trunk stages that never train."""
    trunk_frozen_until: float = 0.0
    """Share of the run before the rest of the trunk begins to train."""
    mix: Mix = field(default_factory=Mix)
