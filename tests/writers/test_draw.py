from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vossegment.tracking.types import ObjectRecord
from vossegment.writers.draw import draw
from vossegment.writers.palette import vivid


def test_nothing_to_draw_gives_a_copy(make_frame: Any) -> None:
    frame = replace(make_frame(), objects=())
    drawn = draw(frame)
    np.testing.assert_array_equal(drawn, frame.image)
    assert not np.shares_memory(drawn, frame.image)


@pytest.mark.parametrize("lost", [{"status": "lost"}, {"box": None}])
def test_a_lost_or_empty_object_draws_nothing(make_frame: Any, lost: dict[str, Any]) -> None:
    frame = make_frame()
    frame = replace(frame, objects=(replace(frame.objects[0], **lost),))
    np.testing.assert_array_equal(draw(frame), frame.image)


def test_tint_outline_and_background(make_frame: Any) -> None:
    frame = make_frame(size=(200, 160))
    before = frame.image.copy()
    drawn = draw(frame)
    np.testing.assert_array_equal(frame.image, before)
    tinted = np.array((90, 110, 130)) * 0.55 + np.array(vivid(1)) * 0.45
    np.testing.assert_allclose(drawn[20, 18], tinted, atol=1)
    assert np.abs(drawn[20, 8].astype(int) - vivid(1)).max() < 30  # on the left edge of the mask
    np.testing.assert_array_equal(drawn[:, 60:], before[:, 60:])
    np.testing.assert_array_equal(drawn[60:], before[60:])


@pytest.mark.parametrize(
    "box", [(-5.0, -5.0, 8.0, 8.0), (60.0, 44.0, 9.0, 9.0), (0.0, 0.0, 64.0, 48.0), (70.0, 60.0, 5.0, 5.0)]
)
def test_boxes_over_the_rim_are_drawn_as_far_as_they_go(
    make_frame: Any, box: tuple[float, float, float, float]
) -> None:
    frame = make_frame()
    assert draw(replace(frame, objects=(ObjectRecord(1, box, 1.0, 9, "tracked"),))).shape == (48, 64, 3)


def test_a_frame_smaller_than_the_number_is_drawn(make_frame: Any) -> None:
    frame = replace(make_frame(), image=np.zeros((3, 3, 3), np.uint8), labels=np.ones((3, 3), np.uint8))
    record = ObjectRecord(200, (0.0, 0.0, 3.0, 3.0), 1.0, 9, "tracked")
    assert draw(replace(frame, objects=(record,))).shape == (3, 3, 3)
