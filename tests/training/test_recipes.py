"""Recipes are consistent with themselves and with the table of models."""

from __future__ import annotations

import dataclasses
import json

import pytest

from vossegment.models import MODELS
from vossegment.training.recipes.e3sn import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name: str) -> None:
    """It trains a registered model whose trunk has its frozen stages, its shares are shares, and it can be saved."""
    recipe = RECIPES[name]
    assert recipe.name == name
    assert recipe.model in MODELS
    stages = MODELS[recipe.model].build().trunk.stage_modules()  # type: ignore[operator,union-attr]
    assert 0 <= recipe.frozen_stages < len(stages)
    assert 0 < recipe.final_rate <= recipe.rate
    assert 0 <= recipe.warm_up < recipe.steps
    assert 0 <= recipe.average < 1
    assert 0 <= recipe.trunk_frozen_until < 1
    p = recipe.pairs
    for share in (p.grey, p.blur, p.flip, p.negative_pairs, recipe.mix.occluder, recipe.mix.same_object):
        assert 0 <= share <= 1
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["pairs"]["positives"] == p.positives
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.steps = 1  # type: ignore[misc]


def test_the_papers_recipe() -> None:
    """``e3sn`` is the paper's: four cells 3:1, SGD 2e-3 to 2e-4 logarithmically, mask loss 32, 20 epochs."""
    recipe = RECIPES["e3sn"]
    assert (recipe.pairs.positives, recipe.pairs.near, recipe.pairs.negatives) == (3, 0, 1)
    assert (recipe.optimiser, recipe.rate, recipe.final_rate, recipe.decay) == ("sgd", 2e-3, 2e-4, "log")
    assert (recipe.loss_score, recipe.loss_box, recipe.loss_mask, recipe.loss_dice) == (1, 1, 32, 0)
    assert (recipe.mask_factor, recipe.trunk_frozen_until) == (0.1, 0.5)
    assert not recipe.train_negative_masks
    assert recipe.steps * recipe.batch == pytest.approx(20 * 600_000, rel=1e-4)
