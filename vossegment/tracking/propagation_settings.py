"""What can be set of mask-guided propagation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vossegment.tracking.types import in_range


@dataclass(frozen=True)
class PropagationSettings:
    """How masks are followed. [ours], chosen on held-out training video: the weights' card."""

    size: int = 192
    """Side of a window in network pixels, a multiple of 32."""
    mask_threshold: float = 0.5
    passes: int = 2
    """Further looks at the first frame when an object begins from a box, each with the last answer as reference."""
    refresh: int = 0
    """Every so many frames a confident answer becomes a second reference beside the first; 0: never."""
    refresh_above: float = 0.9
    refresh_under: float = 0.0
    """Sooner, once the box overlaps by less than this with the one that the second reference was made in."""
    refresh_share: float = 0.0
    """And never from a mask of less than this share of the usual area: what leaves is no reference."""
    lost_below: float = 0.6
    """Confidence (mean probability inside the mask) under which the object counts as lost."""
    found_above: float = 0.8
    """Confidence from which a lost object counts as found."""
    lost_doubt: float = math.inf
    """Doubt beyond which the object counts as lost: the odds against the mask, (1 - confidence) / confidence, times how
    unlike its portrait it is, 1 - cosine. Either alone passes what another thing, after a cut, is taken for."""
    found_doubt: float = math.inf
    """Doubt up to which what was lost counts as found."""
    claim: float = 1.0
    """Factor on the odds of an object in the frame in which it is found again."""
    most_jump: float = 4.0
    """Factor by which a mask's area may differ from the last one's; beyond, the object counts as lost."""
    least_share: float = 0.0
    """Where there are several objects, wherever they are, what covers less than this share of its usual area counts as
    lost."""
    found_within: float = 4.0
    """Factor by which the area of what was lost and counts as found may differ from the usual one."""
    memory: float = 0.9
    """How slowly the usual size follows."""
    memory_hidden: float = 0.9
    """The same for an object among several whose mask is smaller than usual: what goes behind another is no smaller for
    it, and has to fit into the window in which it is looked for."""
    growth: float = 1.02
    """Factor a frame by which a lost object's window grows, up to ``most_growth``."""
    most_growth: float = 2.0
    still_for: int = 3
    """Frames for which a lost object is awaited where it was; then the window goes round."""
    steady: float = 0.0
    """The window is made for no less than this times the usual width and height."""
    lead: float = 0.0
    """Share of the last frame's motion and growth by which the window runs ahead."""
    least_side: float = 2.0
    """A box never gets smaller than this, in frame pixels."""
    mirrored: bool = False
    """Each window is also looked at in a mirror, and both answers averaged: twice the time."""

    def __post_init__(self) -> None:
        """Raises ValueError for what no tracker can work with."""
        if self.size % 32:
            raise ValueError(f"'size': {self.size}, wanted a multiple of 32")
        in_range("size", self.size, 32, 1024)
        for name in (
            "mask_threshold",
            "refresh_above",
            "refresh_under",
            "refresh_share",
            "least_share",
            "lost_below",
            "found_above",
            "memory",
            "memory_hidden",
        ):
            in_range(name, getattr(self, name), 0.0, 1.0)
        for name in ("passes", "refresh", "still_for"):
            in_range(name, getattr(self, name), 0, 1000)
        for name in ("claim", "most_jump", "found_within", "growth", "most_growth"):
            in_range(name, getattr(self, name), 1.0, math.inf)
        for name in ("lead", "steady"):
            in_range(name, getattr(self, name), 0.0, 2.0)
        for name in ("lost_doubt", "found_doubt"):
            in_range(name, getattr(self, name), 0.0, math.inf)
        in_range("least_side", self.least_side, 1.0, math.inf)
