"""A recipe with some of its fields changed, as people type them: ``steps=500``, ``pairs.positives=4``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from vossegment.errors import InputError, one_of
from vossegment.training.recipes.base import Recipe

_Fields = TypeVar("_Fields")
STAGE = "stage"
"""Not a field: which stage alone is trained."""


def with_fields(recipe: Recipe, assignments: Sequence[str]) -> Recipe:
    """``recipe`` after ``NAME=VALUE`` each; ``stage=NAME`` first takes the stage of that name for itself, and
    ``before.NAME=VALUE`` changes the stage before.

    Raises InputError for a name that the recipe does not have, or a value of another kind.
    """
    pairs = []
    for text in assignments:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"--set '{text}': wanted NAME=VALUE")
        pairs.append((name, value))
    for name, value in pairs:
        if name == STAGE:
            recipe = _stage(recipe, value)
    for name, value in pairs:
        if name != STAGE:
            recipe = _changed(recipe, name.split("."), value, name)
    return recipe


def _stage(recipe: Recipe, name: str) -> Recipe:
    known: dict[str, Recipe] = {}
    stage: Recipe | None = recipe
    while stage is not None:
        known[stage.name] = stage
        stage = stage.before
    if name not in known:
        raise InputError(one_of("stage", name, known))
    return known[name]


def _changed(holder: _Fields, path: Sequence[str], value: str, whole: str) -> _Fields:
    known = [f.name for f in fields(holder)]  # type: ignore[arg-type]
    if path[0] not in known or path[0] == "name":
        raise InputError(one_of("field of the recipe", whole, [k for k in known if k != "name"]))
    old = getattr(holder, path[0])
    if len(path) > 1:
        if not is_dataclass(old):
            raise InputError(f"--set {whole}: '{path[0]}' has no fields of its own")
        new: Any = _changed(old, path[1:], value, whole)
    else:
        new = _read(value, old, whole)
    changed: _Fields = replace(holder, **{path[0]: new})  # type: ignore[type-var]
    return changed


def _read(value: str, old: Any, name: str) -> Any:
    if is_dataclass(old) or old is None:
        if old is None:
            raise InputError(f"--set {name}: there is none here")
        raise InputError(f"--set {name}: name one of its fields, {name}.{fields(old)[0].name} and the like")
    if isinstance(old, str):
        return value
    try:
        new = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        new = None
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        new = float(new)
    if type(new) is not type(old):
        raise InputError(f"--set {name}={value}: wanted something like {old!r}")
    return new
