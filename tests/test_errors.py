"""The tree of errors and their exit codes."""

from __future__ import annotations

import inspect

import pytest

from vossegment import errors


def raised_on_purpose() -> list[type[errors.VossegmentError]]:
    return [
        c
        for _, c in inspect.getmembers(errors, inspect.isclass)
        if issubclass(c, errors.VossegmentError) and c.__module__ == errors.__name__
    ]


def test_codes_differ() -> None:
    """No two kinds of error end the program with the same code, and none with 0."""
    codes = [c.exit_code for c in raised_on_purpose()]
    assert len(set(codes)) == len(codes) == 5
    assert 0 not in codes


@pytest.mark.parametrize("kind", raised_on_purpose(), ids=lambda c: c.__name__)
def test_tree_in_the_docstring(kind: type[errors.VossegmentError]) -> None:
    """The tree at the head of the module names every class with its code."""
    line = next(x for x in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in x)
    assert line.split(kind.__name__)[1].split()[0] == str(kind.exit_code)


@pytest.mark.parametrize("kind", raised_on_purpose(), ids=lambda c: c.__name__)
def test_caught_by_the_base(kind: type[errors.VossegmentError]) -> None:
    """One class catches them all."""
    with pytest.raises(errors.VossegmentError, match="thing: value; remedy"):
        raise kind("thing: value; remedy")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], "unknown fruit 'fig'; known: "),
        (["pear"], "unknown fruit 'fig'; known: pear"),
        ({"pear": 1, "apple": 2}, "unknown fruit 'fig'; known: apple, pear"),
    ],
)
def test_one_of(known: object, expected: str) -> None:
    """An unknown name is told with what is known, in order."""
    assert errors.one_of("fruit", "fig", known) == expected
