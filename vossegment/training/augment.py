"""Changes to rendered crops: colour, grey, blur. Geometry is drawn before rendering, in ``pairs``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from vossegment.tracking.types import Image


def colour(image: Image, rng: Generator, strength: float = 0.25) -> Image:
    """Brightness, contrast, saturation and a tint, each up to about ``strength`` [ours]."""
    gain, shift = 1 + rng.uniform(-strength, strength), rng.uniform(-strength, strength) * 60
    saturation = 1 + rng.uniform(-strength, strength) * 1.5
    tint = 1 + rng.uniform(-0.08, 0.08, 3)
    # All of it is one affine map of a pixel's colour: to grey and back by the saturation, after gain and shift.
    mixing = saturation * np.eye(3) + (1 - saturation) / 3
    matrix = np.concatenate([gain * mixing, np.full((3, 1), shift)], 1) * tint[:, None]
    return cv2.transform(image, matrix).astype(np.uint8, copy=False)


def grey(image: Image) -> Image:
    """The picture without its colours."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat(luma[..., None], 3, 2).astype(np.uint8)


def soften(image: Image, share: float) -> Image:
    """The picture as if enlarged from ``share`` of its size: a small object's crop has few true pixels."""
    side = max(8, round(image.shape[0] * share))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def motion_blur(image: Image, rng: Generator) -> Image:
    """A smear of 3 to 9 pixels in a random direction."""
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    middle = length / 2 - 0.5
    turn = cv2.getRotationMatrix2D((middle, middle), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length)).astype(np.float32)
    return cv2.filter2D(image, -1, kernel / max(float(kernel.sum()), 1e-3)).astype(np.uint8)
