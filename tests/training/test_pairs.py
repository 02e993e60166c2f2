"""Training pairs: pure in (seed, index), of fixed shapes, with targets that keep the paper's rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from torch import Tensor

from vossegment.errors import DataError
from vossegment.tracking.anchors import anchor_grid, decode, overlap
from vossegment.training.clips import ClipMaker, Mix
from vossegment.training.library import Library, tight_box
from vossegment.training.pairs import PairDataset, PairSettings, context_window
from vossegment.training.recipes.e3sn import E3SN, E3SN_SMALL, E3SNRecipe
from vossegment.training.targets import UNKNOWN

PLAIN = PairSettings(grey=0, blur=0, colour=0, flip=0)
every_recipe = pytest.mark.parametrize("recipe", [E3SN, E3SN_SMALL], ids=lambda r: str(r.name))


def pairs(library: Library, settings: PairSettings = PLAIN, *, seed: int = 0, mix: Mix | None = None) -> PairDataset:
    return PairDataset(ClipMaker(library, mix or Mix()), settings, pairs=40, seed=seed)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(v, other[k]) for k, v in one.items())


def test_length(library: Library) -> None:
    """As many pairs as asked."""
    assert len(pairs(library)) == 40


@every_recipe
def test_pure(library: Library, recipe: E3SNRecipe) -> None:
    """Pair i depends on seed and i alone: in any order, from any data set of the same settings."""
    settings = recipe.pairs
    one, again, other = (pairs(library, settings, seed=s) for s in (7, 7, 8))
    forwards = [one[i] for i in range(4)]
    backwards = [again[i] for i in (3, 2, 1, 0)][::-1]
    assert all(same(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert not same(forwards[0], forwards[1])
    assert not same(forwards[0], other[0])


@every_recipe
def test_shapes(library: Library, recipe: E3SNRecipe) -> None:
    """Every pair has the same tensors, so that they can be put into batches."""
    settings = recipe.pairs
    k = settings.positives + settings.near + settings.negatives
    for i in range(6):
        found = {key: (tuple(v.shape), v.dtype) for key, v in pairs(library, settings)[i].items()}
        assert found == {
            "template": ((127, 127, 3), torch.uint8),
            "search": ((255, 255, 3), torch.uint8),
            "labels": ((5, 25, 25), torch.int8),
            "all_labels": ((5, 25, 25), torch.int8),
            "deltas": ((4, 5, 25, 25), torch.float32),
            "similar": ((25, 25), torch.int8),
            "cells": ((k, 2), torch.int64),
            "signs": ((k,), torch.int8),
            "masks": ((k, 127, 127), torch.uint8),
        }


def best_overlap(pair: dict[str, Tensor]) -> Tensor:
    """IoU of each chosen cell's best anchor with the target's box, which the deltas give away."""
    box = decode(pair["deltas"], anchor_grid())[:, 2, 12, 12]
    return overlap(box, anchor_grid()).amax(0)[pair["cells"][:, 0], pair["cells"][:, 1]]


def test_signs(library: Library) -> None:
    """Three positives to one negative; no positive under .3, no negative over it; no cell where the sign is 0."""
    for i in range(12):
        pair = pairs(library)[i]
        signs, best = pair["signs"], best_overlap(pair)
        assert (best[signs == 1] >= 0.3 - 1e-4).all()
        assert (best[signs == -1] < 0.3 + 1e-4).all()
        assert (pair["masks"][signs == 0] == UNKNOWN).all()
        assert int((signs == 1).sum()) == 3
        assert int((signs == -1).sum()) == 1


def test_sampled_labels_are_some_of_all(library: Library) -> None:
    """Sampling leaves labels out and changes none; without a target every anchor is negative."""
    for i in range(6):
        pair = pairs(library)[i]
        kept = pair["labels"] >= 0
        assert torch.equal(pair["labels"][kept], pair["all_labels"][kept])


def test_labels(library: Library) -> None:
    """Positives and negatives together are 64 anchors, at most 16 of them positive."""
    for i in range(12):
        labels = pairs(library)[i]["labels"]
        assert int((labels >= 0).sum()) == 64
        assert 0 <= int((labels == 1).sum()) <= 16


def test_mask_windows_show_the_target(library: Library) -> None:
    """The windows' masks lie where the box of the search crop is."""
    for i in range(8):
        pair = pairs(library)[i]
        cx, cy, w, h = decode(pair["deltas"], anchor_grid())[:, 2, 12, 12].tolist()
        for (r, c), sign, mask in zip(
            pair["cells"].tolist(), pair["signs"].tolist(), pair["masks"].numpy(), strict=True
        ):
            shown = tight_box(((mask == 1) * 255).astype(np.uint8))
            if sign < 1:
                continue
            assert shown is not None
            corner = np.array([8 * c - 32, 8 * r - 32] * 2)
            whole = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
            visible = np.clip(whole - corner, 0, 127)
            # The window may leave the crop; what is seen of the target there is cut at the crop's edge, as its box is.
            np.testing.assert_allclose(shown, visible, rtol=0, atol=1.5)


def test_negative_pairs(library: Library) -> None:
    """A search crop without the target: 16 negative anchors, no positive one, no positive cell."""
    for i in range(6):
        pair = pairs(library, replace(PLAIN, negative_pairs=1.0))[i]
        assert int((pair["labels"] == 0).sum()) == 16
        assert int((pair["labels"] == 1).sum()) == 0
        assert not (pair["signs"] == 1).any()


def test_negative_pairs_have_empty_masks(library: Library) -> None:
    """Where the target is not in the search crop no mask target holds a pixel of it, least of all of another object."""
    for i in range(6):
        pair = pairs(library, replace(PLAIN, negative_pairs=1.0, positives=0, negatives=4))[i]
        assert not (pair["masks"] == 1).any()


def test_negative_pairs_show_another_object(library: Library) -> None:
    """The target itself is never shown as what it is not: with one object alone there is no negative pair."""
    alone = pairs(
        Library((), library.stills), replace(PLAIN, negative_pairs=1.0), mix=Mix(video=0, still=1, composed=0)
    )
    with pytest.raises(DataError, match="no target to be seen"):
        alone[0]


def test_colours_only_where_asked(library: Library) -> None:
    """Grey makes both crops grey; without changes of colour the crops are the rendered pictures."""
    grey = pairs(library, replace(PLAIN, grey=1.0))[3]
    for crop in (grey["template"], grey["search"]):
        assert torch.equal(crop[..., 0], crop[..., 2])
    assert not torch.equal(pairs(library)[3]["search"][..., 0], pairs(library)[3]["search"][..., 2])


@pytest.mark.parametrize("box", [(10.0, 20.0, 50.0, 40.0), (0.0, 0.0, 9.0, 90.0)])
def test_context_window_in_the_middle(box: tuple[float, float, float, float]) -> None:
    """Without jitter the box lies in the middle, at the scale of the tracker's windows."""
    from vossegment.tracking.geometry import context_side, square_windows

    window = context_window(box, 255, default_rng(0), shift=0, scale=0, turn=0, mirrored=False)
    middle = torch.tensor([[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]])
    side = context_side(torch.tensor([[box[2] - box[0], box[3] - box[1]]])) * (255 / 127)
    np.testing.assert_allclose(window, square_windows(middle, side, 255)[0].numpy(), rtol=1e-5, atol=1e-4)


def test_context_window_jitter() -> None:
    """Shifts stay within the limit in window pixels, scales within theirs; both are used to the full."""
    box = (10.0, 20.0, 50.0, 40.0)
    plain = context_window(box, 255, default_rng(0), shift=0, scale=0, turn=0, mirrored=False)
    shifts, zooms = [], []
    for seed in range(200):
        window = context_window(box, 255, default_rng(seed), shift=64, scale=0.18, turn=0, mirrored=False)
        zooms.append(plain[0, 0] / window[0, 0])
        shifts.append((np.array([30, 30]) - window[:, 2]) / window[0, 0] - 127.5)
    assert np.abs(shifts).max() <= 64
    assert np.abs(shifts).max() > 55
    assert 0.82 <= min(zooms) < 0.86
    assert 1.14 < max(zooms) <= 1.18


def test_context_window_of_unequal_scales() -> None:
    """Each axis draws a scale of its own, within the limit, round the box's middle."""
    box = (10.0, 20.0, 50.0, 40.0)
    plain = context_window(box, 255, default_rng(0), shift=0, scale=0, turn=0, mirrored=False)
    zooms = []
    for seed in range(200):
        window = context_window(box, 255, default_rng(seed), shift=0, scale=0.18, turn=0, mirrored=False, apart=True)
        np.testing.assert_allclose(window @ [127.5, 127.5, 1], [30, 30], atol=1e-9)
        zooms.append(np.diag(plain[:, :2]) / np.diag(window[:, :2]))
    assert np.all((np.min(zooms, 0) >= 0.82) & (np.min(zooms, 0) < 0.86))
    assert np.all((np.max(zooms, 0) <= 1.18) & (np.max(zooms, 0) > 1.14))
    assert abs(np.corrcoef(np.array(zooms).T)[0, 1]) < 0.3


def test_turn_and_mirror() -> None:
    """A mirrored window turns left to right; a turn stays within its degrees."""
    box = (10.0, 20.0, 50.0, 40.0)
    mirrored = context_window(box, 127, default_rng(0), shift=0, scale=0, turn=0, mirrored=True)
    assert np.linalg.det(mirrored[:, :2]) < 0
    np.testing.assert_allclose(mirrored @ [63.5, 63.5, 1], [30, 30])
    for seed in range(30):
        turned = context_window(box, 127, default_rng(seed), shift=0, scale=0, turn=6, mirrored=False)
        assert abs(np.degrees(np.arctan2(turned[1, 0], turned[0, 0]))) <= 6
