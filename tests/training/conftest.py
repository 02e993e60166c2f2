"""Libraries of objects that stand still."""

from __future__ import annotations

import numpy as np
import pytest

from vossegment.data.sequence import ArraySequence
from vossegment.training.library import Library


@pytest.fixture(scope="module")
def standing() -> Library:
    """A video of four equal frames: an ellipse that does not move."""
    import cv2

    image, labels = np.full((120, 160, 3), 90, np.uint8), np.zeros((120, 160), np.uint8)
    cv2.ellipse(labels, (85, 55), (30, 18), 20, 0, 360, 1, -1)
    image[labels == 1] = (250, 40, 30)
    return Library.load([ArraySequence("standing", (image,) * 4, (labels,) * 4)])


@pytest.fixture(scope="module")
def two() -> Library:
    """A video of four equal frames with a red object and a blue one side by side."""
    image, labels = np.full((120, 160, 3), 90, np.uint8), np.zeros((120, 160), np.uint8)
    labels[40:75, 50:72], labels[45:80, 80:105] = 1, 2
    image[labels == 1], image[labels == 2] = (240, 40, 30), (30, 40, 240)
    return Library.load([ArraySequence("two", (image,) * 4, (labels,) * 4)])
