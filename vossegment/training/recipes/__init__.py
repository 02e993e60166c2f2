"""A file a model, and the one table of what ``vossegment train`` takes."""

from vossegment.training.recipes.base import Recipe
from vossegment.training.recipes.e3sn import E3SN, E3SN_SMALL
from vossegment.training.recipes.guided import GUIDED, GUIDED_AGAIN, GUIDED_FIRST, GUIDED_LONGER, GUIDED_MOBILENET_V2
from vossegment.training.recipes.siammask import (
    BASE,
    SIAMFC,
    SIAMMASK,
    SIAMMASK_2B,
    SIAMMASK_2B_BASE,
    SIAMRPN,
    SMALL,
    SMALL_BASE,
)

_ALL: tuple[Recipe, ...] = (
    *(GUIDED, GUIDED_AGAIN, GUIDED_LONGER, GUIDED_FIRST, GUIDED_MOBILENET_V2, E3SN, E3SN_SMALL),
    *(SIAMMASK, BASE, SIAMMASK_2B, SIAMMASK_2B_BASE, SIAMRPN, SIAMFC, SMALL, SMALL_BASE),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}

__all__ = ["RECIPES", "Recipe"]
