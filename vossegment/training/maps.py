"""Affine maps ``(2, 3)`` of single points, in numpy: how clips place and move things."""

from __future__ import annotations

import numpy as np

from vossegment.tracking.geometry import FloatArray


def compose(outer: FloatArray, inner: FloatArray) -> FloatArray:
    """The map that applies ``inner`` first."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.concatenate([linear, outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], 1)


def invert(matrix: FloatArray) -> FloatArray:
    """The map back."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], 1)


def similarity(
    source: tuple[float, float],
    target: tuple[float, float],
    scale: float,
    degrees: float = 0.0,
    mirrored: bool = False,
) -> FloatArray:
    """Scales, turns and mirrors about ``source``, which lands on ``target``."""
    angle = np.deg2rad(degrees)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[-c if mirrored else c, -s], [-s if mirrored else s, c]])
    return np.concatenate([linear, (np.array(target) - linear @ np.array(source))[:, None]], 1)
