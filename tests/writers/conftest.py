from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from vossegment.tracking.types import ObjectRecord, TrackedFrame
from vossegment.writers.types import PromptRecord, RunInfo

MakeFrame = Callable[..., TrackedFrame]


@pytest.fixture
def make_frame() -> MakeFrame:
    """A grey frame with object 1 as a rectangle in it, moving right by a pixel a frame."""

    def make(
        index: int = 0, time: float | None = None, size: tuple[int, int] = (64, 48), status: str = "tracked"
    ) -> TrackedFrame:
        width, height = size
        labels = np.zeros((height, width), np.uint8)
        labels[10:30, 8 + index : 28 + index] = 1
        image = np.full((height, width, 3), (90, 110, 130), np.uint8)
        record = ObjectRecord(1, (8.0 + index, 10.0, 20.0, 20.0), 0.98765, 400, status)  # type: ignore[arg-type]
        return TrackedFrame(index, index / 10 if time is None else time, image, labels, (record,))

    return make


@pytest.fixture
def run() -> RunInfo:
    return RunInfo(
        source={"path": "dog.mp4", "width": 64, "height": 48, "frames": 3, "duration": 0.3, "rotation": 0},
        model={"name": "e3sn", "weights": "w", "sha256": "0" * 64, "device": "cpu", "precision": "float32"},
        prompts=(PromptRecord(1, 0, (8.0, 10.0, 20.0, 20.004)), PromptRecord(1, 2, (9.0, 9.0, 9.0, 9.0))),
        rate=Fraction(10),
    )
