"""A file a model, and the one table of what ``vossegment train`` takes."""

from vossegment.training.recipes.base import Recipe
from vossegment.training.recipes.e3sn import E3SN, E3SN_SMALL
from vossegment.training.recipes.guided import GUIDED
from vossegment.training.recipes.siammask import BASE, SIAMFC, SIAMMASK, SIAMMASK_2B, SIAMMASK_2B_BASE, SIAMRPN

RECIPES: dict[str, Recipe] = {
    r.name: r for r in (GUIDED, E3SN, E3SN_SMALL, SIAMMASK, BASE, SIAMMASK_2B, SIAMMASK_2B_BASE, SIAMRPN, SIAMFC)
}

__all__ = ["RECIPES", "Recipe"]
