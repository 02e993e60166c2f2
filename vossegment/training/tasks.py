"""From a recipe to what its network learns."""

from __future__ import annotations

from vossegment.training.e3sn_task import E3SNTask
from vossegment.training.engine import Task
from vossegment.training.guided_task import GuidedTask
from vossegment.training.recipes import Recipe
from vossegment.training.recipes.e3sn import E3SNRecipe
from vossegment.training.recipes.guided import GuidedRecipe
from vossegment.training.recipes.siammask import SiamMaskRecipe
from vossegment.training.siammask_task import SiamMaskTask


def task_of(recipe: Recipe) -> Task:
    """The task that a recipe's kind stands for."""
    if isinstance(recipe, GuidedRecipe):
        return GuidedTask(recipe)
    if isinstance(recipe, E3SNRecipe):
        return E3SNTask(recipe)
    if isinstance(recipe, SiamMaskRecipe):
        return SiamMaskTask(recipe)
    raise TypeError(f"no task for recipes of {type(recipe).__name__}")
