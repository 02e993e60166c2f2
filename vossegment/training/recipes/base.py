"""What every recipe says, whatever it trains."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from vossegment.tracking.types import in_range
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
    epochs: int = 0
    """The rate changes only at the beginning of each of so many even parts of the run, and falls logarithmically;
    0: it falls at every step, as ``decay`` says, after ``warm_up``."""
    warm_epochs: int = 0
    """Parts in which the rate climbs, from ``warm_rate`` and by an equal factor each, to ``rate``."""
    warm_rate: float = 0.0
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
    before: Recipe | None = None
    """What is trained first; the network goes on from there."""

    @property
    def stages_before(self) -> int:
        """How many stages are trained before this one."""
        return 0 if self.before is None else 1 + self.before.stages_before

    def __post_init__(self) -> None:
        """Raises ValueError for what no run can work with."""
        in_range("steps", self.steps, 0, math.inf)
        in_range("batch", self.batch, 1, math.inf)
        for name in ("rate", "final_rate"):
            in_range(name, getattr(self, name), 1e-12, math.inf)
        for name in ("average", "trunk_frozen_until"):
            in_range(name, getattr(self, name), 0, 1)
