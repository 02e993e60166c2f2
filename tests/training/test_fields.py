"""Recipes changed as people type it."""

from __future__ import annotations

import pytest

from vossegment.errors import InputError
from vossegment.training.recipes import RECIPES
from vossegment.training.recipes.e3sn import E3SNRecipe
from vossegment.training.recipes.fields import with_fields


def test_fields_are_changed() -> None:
    """Whole numbers, shares, words, and fields of fields; the others stay."""
    recipe = with_fields(RECIPES["e3sn"], ["steps=7", "loss_mask=16", "pairs.positives=4", "model=e3sn_resnet50_plain"])
    assert isinstance(recipe, E3SNRecipe)
    assert (recipe.steps, recipe.loss_mask, recipe.pairs.positives) == (7, 16.0, 4)
    assert recipe.model == "e3sn_resnet50_plain"
    assert recipe.batch == RECIPES["e3sn"].batch


def test_the_stage_before() -> None:
    """Has fields of its own."""
    recipe = with_fields(RECIPES["siammask"], ["before.steps=5", "steps=6"])
    assert recipe.before is not None
    assert (recipe.before.steps, recipe.steps) == (5, 6)
    assert with_fields(recipe, []) is recipe


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("steps", "wanted NAME=VALUE"),
        ("step=3", "known: .*steps"),
        ("steps=many", "something like"),
        ("steps=1.5", "something like"),
        ("train_negative_masks=1", "something like False"),
        ("pairs=3", "pairs.template_shift"),
        ("steps.more=3", "no fields of its own"),
        ("pairs.positive=3", "known: .*positives"),
        ("name=other", "known"),
        ("before=e3sn", "none here"),
        ("optimiser=adam", "known: adamw, sgd"),
        ("pairs.cells_from=anchor", "known: anchors, centre, overlap"),
        ("batch=0", "'batch': 0"),
        ("pairs.search=200", "'search': 200"),
    ],
)
def test_refusals(text: str, part: str) -> None:
    """One line that says what was wanted."""
    with pytest.raises(InputError, match=part):
        with_fields(RECIPES["e3sn"], [text])
