"""What a shot shows of its layers: what lies before hides, what lies behind does not."""

from __future__ import annotations

import numpy as np
import pytest

from vossegment.training.library import Library
from vossegment.training.shots import Cutout, Shot

IDENTITY = np.eye(2, 3)


def test_render_of_a_whole_frame(library: Library) -> None:
    """The frame's own window shows the frame and its mask; outside lies the mean colour and no mask."""
    subject = library.stills[0].subject(0)
    shot = Shot(subject.image, IDENTITY, subject.mask, subject.box)
    image, mask = shot.render(IDENTITY, 120)
    assert (image == subject.image[:, :120]).all()
    assert (mask == subject.mask[:, :120]).all()
    beyond, nothing = shot.render(np.array([[1.0, 0, 500], [0, 1.0, 500]]), 20)
    assert not nothing.any()
    assert np.abs(beyond.astype(float) - subject.image.reshape(-1, 3).mean(0)).max() < 12
    assert (beyond == beyond[0, 0]).all()


@pytest.mark.parametrize(("shift", "left"), [(0, 0.1), (20, 0.9), (300, 1.0)])
def test_a_distractor_in_front_hides(library: Library, shift: float, left: float) -> None:
    """What lies in front is cut from the mask, as far as it covers; what is elsewhere cuts nothing."""
    subject = library.stills[0].subject(0)
    place = np.array([[1.0, 0, -shift], [0, 1.0, 0]])
    plain = Shot(subject.image, IDENTITY, subject.mask, subject.box)
    covered = Shot(subject.image, IDENTITY, subject.mask, subject.box, (Cutout(subject, place),))
    area = [float((shot.render(IDENTITY, 160)[1] > 127).mean()) for shot in (plain, covered)]
    share = area[1] / area[0]
    assert share <= left
    assert share >= (left if left == 1 else 0)


def test_a_distractor_behind_hides_nothing(library: Library) -> None:
    """Layers are laid in order: behind the target a double changes no pixel of the mask."""
    subject = library.stills[0].subject(0)
    shift = np.array([[1.0, 0, -10], [0, 1.0, 0]])
    target, double = Cutout(subject, IDENTITY, is_target=True), Cutout(subject, shift)
    alone, behind, front = (
        Shot(subject.image, IDENTITY, None, subject.box, layers).render(IDENTITY, 160)[1]
        for layers in ((target,), (double, target), (target, double))
    )
    assert (alone == behind).all()
    assert (front > 127).sum() < 0.7 * (alone > 127).sum()


def test_rivals_are_what_can_be_seen(library: Library) -> None:
    """Cut-outs besides the target are rivals, as far as nothing lies over them; the target as far over them."""
    subject = library.stills[0].subject(0)
    beside = Cutout(subject, np.array([[1.0, 0, -20], [0, 1.0, 0]]))
    target = Cutout(subject, IDENTITY, is_target=True)
    under, over, alone = (
        Shot(subject.image, IDENTITY, None, subject.box, layers).render_all(IDENTITY, 160)
        for layers in ((beside, target), (target, beside), (beside,))
    )
    assert not alone.mask.any()
    assert (over.rivals == alone.rivals).all()
    assert (under.rivals > 127).sum() < 0.7 * (alone.rivals > 127).sum()
    for seen in (under, over):
        assert (seen.mask.astype(int) + seen.rivals).max() <= 256
        both = (np.maximum(seen.mask, seen.rivals) > 127).sum()
        assert both == pytest.approx((np.maximum(under.mask, over.rivals) > 127).sum(), rel=0.01)
