"""A recipe with some of its fields changed, as people type them: ``steps=500``, ``pairs.positives=4``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, get_args, get_type_hints

from vossegment.errors import InputError, one_of
from vossegment.training.recipes.base import Recipe

_Fields = TypeVar("_Fields")


def with_fields(recipe: Recipe, assignments: Sequence[str]) -> Recipe:
    """``recipe`` after ``NAME=VALUE`` each; ``before.NAME=VALUE`` changes the stage before.

    Raises InputError for a name that the recipe does not have, or a value that it cannot take.
    """
    for text in assignments:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise InputError(f"--set '{text}': wanted NAME=VALUE")
        try:
            recipe = _changed(recipe, name.split("."), value, name)
        except ValueError as error:
            raise InputError(f"--set {text}: {error}") from None
    return recipe


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
        allowed = get_args(get_type_hints(type(holder))[path[0]])
        if isinstance(old, str) and allowed and new not in allowed:
            raise InputError(one_of(f"value of {whole}", new, allowed))
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
