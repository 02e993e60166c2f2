"""Boxes as people give them: what is refused, what is clipped and said."""

from __future__ import annotations

import re

import pytest

from vossegment.errors import InputError
from vossegment.tracking.prompts import BoxPrompt, check
from vossegment.tracking.types import Box

NAN, INF = float("nan"), float("inf")


def test_nothing_to_follow() -> None:
    """No box at all is refused, and the remedy named."""
    with pytest.raises(InputError, match="--box"):
        check([], 100, 80, 10)


@pytest.mark.parametrize(
    "box",
    [(0, 0, 100, 80), (0, 0, 1, 1), (99, 79, 1, 1), (10.5, 20.25, 30, 40), (0.1, 0.2, 0.3, 0.7), (1.1, 2.2, 3.3, 4.4)],
)
def test_inside(box: Box) -> None:
    """A box inside the frame stays as it is, without a warning, also where its numbers are not binary fractions."""
    prompts, warnings = check([BoxPrompt(1, box)], 100, 80, 10)
    assert warnings == []
    assert prompts == [BoxPrompt(1, box)]


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-5, 10, 20, 20), (0, 10, 15, 20)),
        ((90, 70, 20, 20), (90, 70, 10, 10)),
        ((10, -8, 20, 200), (10, 0, 20, 80)),
        ((-9, -9, 999, 999), (0, 0, 100, 80)),
    ],
)
def test_partly_outside(box: Box, inside: Box) -> None:
    """A box over the edge is clipped, with a warning that tells both."""
    prompts, warnings = check([BoxPrompt(3, box, 2)], 100, 80, 10)
    assert prompts == [BoxPrompt(3, inside, 2)]
    assert len(warnings) == 1
    for told in (box, inside):
        assert ",".join(f"{v:g}" for v in told) in warnings[0]
    assert "100x80" in warnings[0]


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (BoxPrompt(1, (NAN, 0, 5, 5)), "not finite"),
        (BoxPrompt(1, (0, 0, INF, 5)), "not finite"),
        (BoxPrompt(1, (1, 2, 0, 5)), "1,2,0,5: width and height"),
        (BoxPrompt(1, (1, 2, 5, -5)), "width and height"),
        (BoxPrompt(1, (100, 0, 5, 5)), "outside the frame of 100x80"),
        (BoxPrompt(1, (0, -5, 5, 5)), "outside the frame"),
        (BoxPrompt(0, (1, 2, 5, 5)), "id 0: ids are 1 to 255"),
        (BoxPrompt(256, (1, 2, 5, 5)), "1 to 255"),
        (BoxPrompt(-1, (1, 2, 5, 5)), "1 to 255"),
        (BoxPrompt(2, (1, 2, 5, 5), 10), "frame 10, but the last of 10 is 9"),
        (BoxPrompt(2, (1, 2, 5, 5), -1), "begins in frame -1"),
    ],
)
def test_refused(prompt: BoxPrompt, says: str) -> None:
    """A box that cannot be followed is refused with what is wrong, on one line, also behind a good one."""
    good = BoxPrompt(9, (1, 1, 5, 5))
    for prompts in ([prompt], [good, prompt]):
        with pytest.raises(InputError, match=re.escape(says)) as caught:
            check(prompts, 100, 80, 10)
        assert "\n" not in str(caught.value)


def test_twice_in_one_frame() -> None:
    """One object has one box a frame; in another frame it may have another."""
    box = (1, 2, 5, 5)
    with pytest.raises(InputError, match="object 1 has two boxes in frame 0"):
        check([BoxPrompt(1, box), BoxPrompt(1, box)], 100, 80, 10)
    assert len(check([BoxPrompt(1, box), BoxPrompt(2, box), BoxPrompt(1, box, 4)], 100, 80, 10)[0]) == 3


def test_unknown_length() -> None:
    """Where nobody knows how many frames will come, a late beginning is accepted, an impossible one told plainly."""
    assert check([BoxPrompt(1, (1, 2, 5, 5), 100_000)], 100, 80, None)[1] == []
    with pytest.raises(InputError, match="frame -1") as caught:
        check([BoxPrompt(1, (1, 2, 5, 5), -1)], 100, 80, None)
    assert "None" not in str(caught.value)
