"""A file a model, and the one table of what ``vossegment train`` takes."""

from vossegment.training.recipes.base import Recipe
from vossegment.training.recipes.e3sn import E3SN, E3SN_SMALL
from vossegment.training.recipes.guided import GUIDED

RECIPES: dict[str, Recipe] = {r.name: r for r in (GUIDED, E3SN, E3SN_SMALL)}

__all__ = ["RECIPES", "Recipe"]
