"""Guidance for training: masks made worse within bounds, and boxes as a hand draws them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from vossegment.training.guidance import drawn_box, filled, perturbed
from vossegment.training.library import EdgeBox, Mask


def disc(size: int = 96, radius: int = 24) -> Mask:
    y, x = np.mgrid[:size, :size] + 0.5
    found: Mask = (255 * ((x - size / 2) ** 2 + (y - size / 2) ** 2 < radius**2)).astype(np.uint8)
    return found


def shared(one: Mask, other: Mask) -> float:
    """IoU of the pixels over one half."""
    a, b = one > 127, other > 127
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("mask", [np.zeros((40, 40), np.uint8), np.full((40, 40), 255, np.uint8), disc()])
def test_perturbed_keeps_the_kind(mask: Mask) -> None:
    """Empty, full or with an object: a mask of the same size and type comes out, and the one put in stays."""
    before = mask.copy()
    for seed in range(20):
        out = perturbed(mask, default_rng(seed))
        assert out.shape == mask.shape
        assert out.dtype == np.uint8
        assert out.any() == mask.any()
    assert (mask == before).all()


def test_perturbed_is_seeded() -> None:
    """The same generator makes the same mask, another another."""
    a, b, c = (perturbed(disc(), default_rng(s)) for s in (3, 3, 4))
    assert (a == b).all()
    assert not (a == c).all()


def test_perturbed_is_still_the_object() -> None:
    """Nine in ten lie on the object by half and more, few are just it, some are soft; less strength changes less."""
    strong, weak = (
        [shared(perturbed(disc(), default_rng(seed), strength), disc()) for seed in range(60)]
        for strength in (1.0, 0.3)
    )
    assert np.quantile(strong, 0.1) > 0.5
    assert np.median(strong) < 0.93
    assert np.mean(weak) > np.mean(strong) + 0.02
    soft = [((out > 20) & (out < 235)).mean() for out in (perturbed(disc(), default_rng(s)) for s in range(40))]
    assert max(soft) > 5 * min(soft)


def test_perturbed_errs_both_ways() -> None:
    """The object grows in some and shrinks in others; some have parts far from it, some holes in it."""
    masks = [perturbed(disc(), default_rng(seed)) > 127 for seed in range(120)]
    truth = disc() > 127
    areas = np.array([m.sum() for m in masks]) / truth.sum()
    assert 8 < (areas < 0.8).sum() < 60
    assert 16 < (areas > 1.2).sum() < 60
    y, x = np.mgrid[:96, :96] + 0.5 - 48
    far, core = np.hypot(x, y) > 40, np.hypot(x, y) < 12
    assert 3 < sum((m & far).any() for m in masks) < 60
    assert 3 < sum((~m & core).any() for m in masks) < 60


@pytest.mark.parametrize("box", [(10.0, 20.0, 50.0, 40.0), (0.0, 0.0, 0.5, 0.5), (5.0, 5.0, 5.0, 5.0)])
def test_drawn_box_has_an_inside(box: EdgeBox) -> None:
    """However bad the hand, a box is a pixel wide and high at least."""
    for seed in range(50):
        x0, y0, x1, y1 = drawn_box(box, default_rng(seed), 1.0)
        assert x1 - x0 >= 1 - 1e-9
        assert y1 - y0 >= 1 - 1e-9


def test_drawn_box_spread() -> None:
    """Without spread the box is as it was; errors go both ways, by the spread of each side's own length."""
    box = (10.0, 20.0, 110.0, 60.0)
    assert drawn_box(box, default_rng(0), 0.0) == box
    errors = np.array([drawn_box(box, default_rng(seed), 0.03) for seed in range(400)]) - box
    np.testing.assert_allclose(errors.std(0), [3, 1.2, 3, 1.2], rtol=0.15)
    np.testing.assert_allclose(errors.mean(0), 0, atol=0.4)


@pytest.mark.parametrize(
    ("box", "area"),
    [
        ((0.0, 0.0, 12.0, 12.0), 144.0),
        ((2.0, 3.0, 7.0, 9.0), 30.0),
        ((2.5, 3.25, 7.5, 9.0), 28.75),
        ((4.2, 4.2, 4.6, 4.6), 0.16),
        ((-5.0, -5.0, 2.0, 30.0), 24.0),
        ((-9.0, 0.0, -1.0, 12.0), 0.0),
        ((13.0, 0.0, 20.0, 12.0), 0.0),
    ],
)
def test_filled_area(box: EdgeBox, area: float) -> None:
    """The mask's sum is the box's area inside the crop, to a pixel's rounding."""
    mask = filled(box, 12)
    assert mask.shape == (12, 12)
    assert mask.dtype == np.uint8
    assert mask.sum() / 255 == pytest.approx(area, abs=0.05)


def test_filled_edges() -> None:
    """An edge pixel is as bright as the share of it that the box covers; a corner has both shares."""
    mask = filled((2.25, 3.0, 6.5, 8.5), 12)
    assert mask[5].tolist() == [0, 0, 191, 255, 255, 255, 128, 0, 0, 0, 0, 0]
    assert mask[:, 4].tolist() == [0, 0, 0, 255, 255, 255, 255, 255, 128, 0, 0, 0]
    assert mask[8, 2] == round(255 * 0.75 * 0.5)
