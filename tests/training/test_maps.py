"""Maps of single points: composed, inverted, and made from a move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from vossegment.tracking.geometry import FloatArray, inverse
from vossegment.training.maps import compose, invert, similarity

IDENTITY = np.eye(2, 3)


def random_map(seed: int) -> FloatArray:
    rng = default_rng(seed)
    return np.concatenate([rng.normal(size=(2, 2)) + 2 * np.eye(2), rng.normal(size=(2, 1)) * 9], 1)


def apply(matrix: FloatArray, point: tuple[float, float]) -> FloatArray:
    moved: FloatArray = matrix[:, :2] @ np.array(point) + matrix[:, 2]
    return moved


@pytest.mark.parametrize("seed", range(3))
def test_algebra(seed: int) -> None:
    """Composing applies the inner map first; a map and its inverse undo each other."""
    outer, inner = random_map(seed), random_map(seed + 9)
    np.testing.assert_allclose(apply(compose(outer, inner), (3, -4)), apply(outer, tuple(apply(inner, (3, -4)))))
    np.testing.assert_allclose(compose(outer, invert(outer)), IDENTITY, atol=1e-12)
    np.testing.assert_allclose(compose(invert(outer), outer), IDENTITY, atol=1e-12)


def test_the_identity_does_nothing() -> None:
    """On either side of a map it changes nothing, and it is its own inverse."""
    matrix = random_map(4)
    np.testing.assert_allclose(compose(IDENTITY, matrix), matrix)
    np.testing.assert_allclose(compose(matrix, IDENTITY), matrix)
    np.testing.assert_allclose(invert(IDENTITY), IDENTITY)
    np.testing.assert_allclose(similarity((0, 0), (0, 0), 1), IDENTITY)


def test_invert_is_the_trackers_inverse() -> None:
    """Training and tracking go back by the same map."""
    matrix = random_map(7)
    np.testing.assert_allclose(invert(matrix), inverse(torch.from_numpy(matrix)[None])[0].numpy(), rtol=1e-9)


@pytest.mark.parametrize(
    ("scale", "degrees", "mirrored", "expected"),
    [
        (1, 0, False, (22, 31)),
        (2, 0, False, (24, 32)),
        (1, 90, False, (19, 32)),
        (1, 0, True, (18, 31)),
        (3, 90, True, (17, 24)),
    ],
)
def test_similarity(scale: float, degrees: float, mirrored: bool, expected: tuple[float, float]) -> None:
    """The source lands on the target; a point two right of and one below it is scaled, turned and mirrored about it."""
    matrix = similarity((5, 7), (20, 30), scale, degrees, mirrored)
    np.testing.assert_allclose(apply(matrix, (5, 7)), (20, 30))
    np.testing.assert_allclose(apply(matrix, (7, 8)), expected, atol=1e-9)
    assert abs(np.linalg.det(matrix[:, :2])) == pytest.approx(scale**2)
    assert bool(np.linalg.det(matrix[:, :2]) < 0) == mirrored
