"""What E3SN learns: the sum of its losses, on which anchors and masks, and at which rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils.data import default_collate

from vossegment.networks.e3sn import E3SN
from vossegment.training.clips import Mix
from vossegment.training.e3sn_task import E3SNTask
from vossegment.training.library import Library
from vossegment.training.recipes.e3sn import E3SNRecipe

CPU = torch.device("cpu")
TINY = E3SNRecipe(
    name="tiny",
    model="e3sn",
    steps=3,
    batch=2,
    optimiser="adamw",
    rate=1e-3,
    final_rate=1e-4,
    decay="cosine",
    trunk_factor=0.5,
    mask_factor=0.25,
    level_factor=10.0,
    mix=Mix(video=1.0, still=0.0, composed=0.0),
)
Build = Callable[..., E3SN]


def batch_of(library: Library, recipe: E3SNRecipe = TINY) -> dict[str, Tensor]:
    samples = E3SNTask(recipe).samples(library, 0)
    found: dict[str, Tensor] = default_collate([samples[i] for i in range(recipe.batch)])
    return found


def losses(build: Build, batch: dict[str, Tensor], recipe: E3SNRecipe, step: int = 0) -> dict[str, float]:
    torch.manual_seed(3)
    found = E3SNTask(recipe).losses(build().train(), batch, step=step, device=CPU)
    return {k: float(v.detach()) for k, v in found.items()}


def test_samples(library: Library) -> None:
    """As many pairs as the run has use for, drawn with the run's seed."""
    samples = E3SNTask(TINY).samples(library, 5)
    assert len(samples) == 6
    assert torch.equal(samples[3]["search"], E3SNTask(TINY).samples(library, 5)[3]["search"])
    assert not torch.equal(samples[3]["search"], E3SNTask(TINY).samples(library, 6)[3]["search"])


def test_total(tiny_e3sn: Build, library: Library) -> None:
    """What is minimised is the weighted sum of the parts (E3SN Eq. 3)."""
    recipe = replace(TINY, loss_score=2.0, loss_box=3.0, loss_mask=5.0, loss_dice=7.0)
    parts = losses(tiny_e3sn, batch_of(library), recipe)
    expected = 2 * parts["score"] + 3 * parts["box"] + 5 * parts["mask"] + 7 * parts["dice"]
    assert parts["total"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("negatives", "counts"), [(False, False), (True, True)])
def test_negative_masks(tiny_e3sn: Build, library: Library, negatives: bool, counts: bool) -> None:
    """Negative cells cost nothing unless the recipe trains them (Eq. 4's (1 + y) / 2)."""
    batch = batch_of(library)
    batch["signs"][:] = -1
    parts = losses(tiny_e3sn, batch, replace(TINY, train_negative_masks=negatives))
    assert (parts["mask"] > 0) is counts


@pytest.mark.parametrize(("hard_from", "step", "hard"), [(-1, 0, False), (-1, 99, False), (5, 4, False), (5, 5, True)])
def test_hard_negatives(tiny_e3sn: Build, library: Library, hard_from: int, step: int, hard: bool) -> None:
    """From the recipe's step on the score learns from all anchors' labels, before it from the drawn ones."""
    batch = batch_of(library)
    recipe = replace(TINY, hard_from=hard_from)
    before = losses(tiny_e3sn, batch, recipe, step)
    for labels, counts in (("all_labels", hard), ("labels", not hard)):
        other = {**batch, labels: torch.full_like(batch[labels], -1)}
        assert (losses(tiny_e3sn, other, recipe, step)["score"] != before["score"]) is counts


@pytest.mark.parametrize("frozen", [0, 2])
def test_groups(tiny_e3sn: Build, frozen: int) -> None:
    """Every parameter that trains is in one group, at its part's rate."""
    network = tiny_e3sn()
    network.trunk.freeze(frozen)
    rates: dict[int, float] = {}
    for group in E3SNTask(TINY).groups(network):
        for p in group["params"]:
            assert id(p) not in rates
            rates[id(p)] = group["lr"]
    parts = {"trunk": 0.5e-3, "refine": 0.25e-3, "level_weights": 10e-3}
    for name, p in network.named_parameters():
        if p.requires_grad:
            assert rates.pop(id(p)) == pytest.approx(parts.get(name.split(".")[0], 1e-3)), name
    assert not rates
