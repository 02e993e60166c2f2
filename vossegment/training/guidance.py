"""What a tracker would know instead of the truth: masks made worse, and boxes as people draw them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.random import Generator

from vossegment.tracking.geometry import crop_array
from vossegment.tracking.upright import filled_boxes
from vossegment.training.library import EdgeBox, Mask, tight_box
from vossegment.training.maps import compose, invert


def perturbed(mask: Mask, rng: Generator, strength: float = 1.0) -> Mask:
    """A mask of a moment ago, as a network would have given it: moved, turned, stretched, with holes and false parts,
    too thick or too thin, soft. ``(S, S)`` 0..255; ranges by MODELS-guided, "Samples"."""
    box = tight_box(mask)
    if box is not None:
        mask = _displaced(mask, box, rng, strength)
        if rng.random() < 0.35 * strength:
            mask = _with_blobs(mask, box, rng)
        if rng.random() < 0.2 * strength:
            mask = _with_false_part(mask, rng)
        thickness = int(rng.integers(0, 6))
        if thickness > 1:
            change = cv2.dilate if rng.random() < 0.5 else cv2.erode
            mask = change(mask, np.ones((thickness, thickness), np.uint8)).astype(np.uint8)
    if rng.random() < 0.7:
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 2.5)).astype(np.uint8)
    return mask


def _displaced(mask: Mask, box: EdgeBox, rng: Generator, strength: float) -> Mask:
    x, y, w, h = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]
    angle = np.deg2rad(rng.uniform(-8, 8) * strength)
    wide, high = np.exp(rng.uniform(-0.1, 0.1, 2) * strength)
    c, s = np.cos(angle), np.sin(angle)
    dx, dy = rng.uniform(-0.09, 0.09, 2) * strength * (w, h)
    to_origin = np.array([[1.0, 0, -x], [0, 1.0, -y]])
    moved = np.array([[wide * c, -s, x + dx], [s, high * c, y + dy]])
    return crop_array(mask, invert(compose(moved, to_origin)), mask.shape[0])


def _with_blobs(mask: Mask, box: EdgeBox, rng: Generator) -> Mask:
    """Discs on the object, six in ten of them holes."""
    out = mask.copy()
    side = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    for _ in range(rng.integers(1, 4)):
        spot = (int(rng.uniform(box[0], box[2])), int(rng.uniform(box[1], box[3])))
        _disc(out, spot, rng.uniform(0.05, 0.22) * side, 255 * int(rng.random() < 0.4), rng)
    return out


def _with_false_part(mask: Mask, rng: Generator) -> Mask:
    out = mask.copy()
    x, y = rng.uniform(0, mask.shape[0], 2)
    _disc(out, (int(x), int(y)), rng.uniform(4, 20), 255, rng)
    return out


def _disc(mask: Mask, spot: tuple[int, int], radius: float, value: int, rng: Generator) -> None:
    axes = (int(radius) + 1, int(radius * rng.uniform(0.5, 2)) + 1)
    cv2.ellipse(mask, spot, axes, rng.uniform(0, 180), 0, 360, value, -1)


def drawn_box(box: EdgeBox, rng: Generator, spread: float) -> EdgeBox:
    """A box as a hand draws it: each edge off by a normal error of ``spread`` times the side."""
    w, h = box[2] - box[0], box[3] - box[1]
    errors = rng.normal(0, spread, 4) * (w, h, w, h)
    x0, y0, x1, y1 = np.array(box) + errors
    return float(x0), float(y0), float(max(x1, x0 + 1)), float(max(y1, y0 + 1))


def filled(box: EdgeBox, size: int) -> Mask:
    """The box as a mask of ``size`` pixels, its edges as soft as their fractions, 0..255."""
    covered = filled_boxes(torch.tensor([box]), torch.eye(2, 3)[None], size)[0]
    mask: Mask = (255 * covered + 0.5).to(torch.uint8).numpy()
    return mask
