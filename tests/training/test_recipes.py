"""Recipes are consistent with themselves and with the table of models."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise

import pytest
import torch

from vossegment.models import MODELS
from vossegment.training.e3sn_task import E3SNTask
from vossegment.training.guided_task import GuidedTask
from vossegment.training.recipes import RECIPES
from vossegment.training.recipes.base import Recipe
from vossegment.training.recipes.e3sn import E3SNRecipe
from vossegment.training.recipes.guided import GUIDED, GUIDED_AGAIN, GUIDED_LONGER, GuidedRecipe
from vossegment.training.recipes.siammask import SIAMMASK, SiamMaskRecipe
from vossegment.training.siammask_task import SiamMaskTask
from vossegment.training.tasks import task_of

KINDS: dict[type[Recipe], type] = {E3SNRecipe: E3SNTask, GuidedRecipe: GuidedTask, SiamMaskRecipe: SiamMaskTask}


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name: str) -> None:
    """It trains a registered model whose trunk has its frozen stages, its shares are shares, and it can be saved."""
    recipe = RECIPES[name]
    assert recipe.name == name
    assert recipe.model in MODELS
    with torch.device("meta"):
        stages = MODELS[recipe.model].build().trunk.stage_modules()  # type: ignore[operator,union-attr]
    assert 0 <= recipe.frozen_stages <= len(stages)
    assert 0 < recipe.final_rate <= recipe.rate
    assert 0 <= recipe.warm_up < recipe.steps
    assert 0 <= recipe.average < 1
    assert 0 <= recipe.trunk_frozen_until < 1
    assert 0 <= recipe.mix.occluder <= 1
    assert 0 <= recipe.mix.same_object <= 1
    saved = json.loads(json.dumps(dataclasses.asdict(recipe)))
    assert saved["mix"]["step"] == recipe.mix.step
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.steps = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", [n for n, r in RECIPES.items() if isinstance(r, E3SNRecipe)])
def test_pairs(name: str) -> None:
    """Shares of what happens to pairs are shares, and travel with the recipe."""
    recipe = RECIPES[name]
    assert isinstance(recipe, E3SNRecipe)
    p = recipe.pairs
    assert all(0 <= share <= 1 for share in (p.grey, p.blur, p.soft, p.flip, p.negative_pairs))
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["pairs"]["positives"] == p.positives


@pytest.mark.parametrize("name", [n for n, r in RECIPES.items() if isinstance(r, GuidedRecipe)])
def test_chains(name: str) -> None:
    """The first chain has a length, later ones are no shorter and begin within the run; shares are shares."""
    recipe = RECIPES[name]
    assert isinstance(recipe, GuidedRecipe)
    c = recipe.chains
    assert c.size % 32 == 0
    assert c.lengths[0][0] == 0
    assert all(a < b and k <= n for (a, k), (b, n) in pairwise(c.lengths))
    assert c.lengths[-1][0] < recipe.steps
    assert all(0 <= share <= 1 for share in (c.start, c.flip, c.grey, c.blur, c.soft, c.lost + c.absent))
    assert 0 <= recipe.mask_stem_until <= 1
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["chains"]["size"] == c.size


@pytest.mark.parametrize("name", RECIPES)
def test_task(name: str) -> None:
    """Each kind of recipe has its task, which holds the recipe."""
    task = task_of(RECIPES[name])
    assert type(task) is KINDS[type(RECIPES[name])]
    assert task.recipe is RECIPES[name]  # type: ignore[attr-defined]


def test_no_task() -> None:
    """A recipe of no known kind is refused by its kind."""
    fields = {f.name: getattr(GUIDED, f.name) for f in dataclasses.fields(Recipe)}
    with pytest.raises(TypeError, match="Recipe"):
        task_of(Recipe(**fields))


def test_the_papers_recipe() -> None:
    """``e3sn`` is the paper's: four cells 3:1, SGD 2e-3 to 2e-4 logarithmically, mask loss 32, 20 epochs."""
    recipe = RECIPES["e3sn"]
    assert isinstance(recipe, E3SNRecipe)
    assert (recipe.pairs.positives, recipe.pairs.near, recipe.pairs.negatives) == (3, 0, 1)
    assert (recipe.optimiser, recipe.rate, recipe.final_rate, recipe.decay) == ("sgd", 2e-3, 2e-4, "log")
    assert (recipe.loss_score, recipe.loss_box, recipe.loss_mask, recipe.loss_dice) == (1, 1, 32, 0)
    assert (recipe.mask_factor, recipe.trunk_frozen_until) == (0.1, 0.5)
    assert not recipe.train_negative_masks
    assert recipe.steps * recipe.batch == pytest.approx(20 * 600_000, rel=1e-4)


def test_siammasks_recipe() -> None:
    """Two stages of 20 epochs, as its program trains them: all of it, then the masks on what the first learned."""
    base = SIAMMASK.before
    assert isinstance(base, SiamMaskRecipe)
    assert (base.model, SIAMMASK.model, SIAMMASK.trained) == ("siammask_base", "siammask", "masks")
    assert (base.loss_score, base.loss_box, base.loss_mask, SIAMMASK.loss_mask) == (1, 1.2, 36, 36)
    assert (base.pairs.search, base.pairs.response, SIAMMASK.pairs.search, SIAMMASK.pairs.response) == (255, 25, 143, 3)
    assert base.steps * base.batch == 20 * 600_000
    assert SIAMMASK.steps * SIAMMASK.batch == 20 * 200_000


def test_guideds_recipe() -> None:
    """Four stages: three train the network, the last its starter, on beginnings alone and with two looks each."""
    again, longer, first = GUIDED.before, GUIDED_LONGER, GUIDED_LONGER.before
    assert again is GUIDED_AGAIN
    assert isinstance(first, GuidedRecipe)
    assert (again.before, first.before) == (longer, None)
    assert again == dataclasses.replace(longer, name="guided_again", before=longer)
    assert [stage.model for stage in (first, longer, again, GUIDED)] == [*["guided_plain"] * 3, "guided"]
    assert [stage.starter for stage in (first, longer, again, GUIDED)] == [False, False, False, True]
    assert (GUIDED.chains.start, GUIDED.chains.lengths) == (1.0, ((0, 2),))
    assert GUIDED.stages_before == 3
