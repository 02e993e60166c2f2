"""What chains begin with: a box, the exact moment before, or a moment in between as a second reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.random import Generator
from standing import ONWARD, SMALL, STANDING, THREE, chains, shared

from vossegment.tracking.geometry import resample
from vossegment.training.chains import ChainDataset
from vossegment.training.clips import ClipMaker, Mix
from vossegment.training.library import Library, tight_box
from vossegment.training.shots import Shot


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_share_of_starts(library: Library, share: float) -> None:
    """As many chains as told begin from a box."""
    found = [bool(chains(library, replace(SMALL, start=share))[i]["start"]) for i in range(40)]
    assert np.mean(found) == pytest.approx(share, abs=0.2 * share * (share < 1))


@pytest.mark.parametrize("targets", [1, 2, 3])
def test_start_from_a_box(library: Library, targets: int) -> None:
    """The first target is its own reference; a filled box, drawn round what is seen, is its mask and the guidance."""
    data = chains(library, replace(SMALL, start=1.0, lengths=((0, targets),)))
    for i in range(10):
        chain = data[i]
        assert bool(chain["start"])
        assert torch.equal(chain["reference"], chain["targets"][0])
        assert torch.equal(chain["guidance"], chain["reference_mask"])
        box = chain["guidance"].numpy().astype(np.float64) / 255
        np.testing.assert_allclose(box, np.outer(box.max(1), box.max(0)), atol=0.01)  # a rectangle, soft at its edges
        drawn, truth = tight_box(chain["guidance"].numpy()), tight_box(chain["masks"][0].numpy())
        assert drawn is not None
        assert truth is not None
        side = max(truth[2] - truth[0], truth[3] - truth[1])
        np.testing.assert_allclose(drawn, truth, rtol=0, atol=1.5 + 4 * 0.03 * side)


def test_starts_are_not_turned(two: Library) -> None:
    """A box is upright, and so is what is in it: upright rectangles stay that in every window."""
    data = chains(two, replace(SMALL, start=1.0, turn=20.0, lengths=THREE), mix=STANDING)
    for i in range(6):
        for mask in data[i]["masks"].numpy().astype(np.float64) / 255:
            np.testing.assert_allclose(mask, np.outer(mask.max(1), mask.max(0)), atol=0.02)


def test_windows_of_a_start(two: Library) -> None:
    """Without jitter the first window is made for the box as it was drawn, the second for what is seen."""
    settings = replace(SMALL, start=1.0, shift=0.0, scale=0.0, box_spread=0.1, lengths=THREE)
    for i in range(6):
        chain = chains(two, settings, mix=STANDING)[i]
        for mask in (chain["guidance"], chain["masks"][1]):
            weights = mask.float() / mask.float().sum()
            along = torch.arange(64) + 0.5
            middle = torch.stack([(weights.sum(axis) * along).sum() for axis in (0, 1)])
            torch.testing.assert_close(middle, torch.full((2,), 32.0), rtol=0, atol=0.3)


def test_a_start_is_looked_at_twice(library: Library) -> None:
    """The second target is the first moment again, from another window; the third is a later one."""
    moving = Mix(video=0.0, still=1.0, composed=0.0, drift=0.5, growth=0.0)
    data, off = chains(library, replace(SMALL, start=1.0, size=128, lengths=THREE), mix=moving), []
    for i in range(8):
        masks, hops = data[i]["masks"].float() / 255, data[i]["hops"]
        seen, known = (resample(m, hops[1:]) for m in (masks[:-1], torch.ones_like(masks[1:])))
        off.append(((seen - masks[1:]).abs() * (known > 0.999)).sum((1, 2)) / masks[1:].sum((1, 2)))
    again, later = torch.stack(off).unbind(1)
    assert again.max() < 0.05
    assert later.median() > 0.2


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_share_of_recent(standing: Library, share: float) -> None:
    """As many chains as told have a second reference; those that begin from a box never do."""
    onward, start = (chains(standing, replace(ONWARD, recent=share, start=s), mix=STANDING) for s in (0.0, 1.0))
    found = [bool(onward[i]["has_recent"]) for i in range(40)]
    assert np.mean(found) == pytest.approx(share, abs=0.2 * (0 < share < 1))
    assert not any(bool(start[i]["has_recent"]) for i in range(10))


class Staged(ClipMaker):
    """Clips whose first shot has a red backdrop, the second a green one, and all others a blue one."""

    def clip(self, rng: Generator, length: int) -> list[Shot]:
        shots, out = super().clip(rng, length), []
        for i, shot in enumerate(shots):
            backdrop = np.zeros_like(shot.backdrop)
            backdrop[..., min(i, 2)] = 180
            out.append(replace(shot, backdrop=backdrop))
        return out


@pytest.mark.parametrize("lost", [0.0, 1.0])
def test_recent_is_the_moment_before(standing: Library, lost: float) -> None:
    """It lies between the reference and the first target, guided or not."""
    settings = replace(ONWARD, recent=1.0, lost=lost, grey=0.0, lengths=((0, 2),))
    data = ChainDataset(Staged(standing, STANDING), settings, chains=6, batch=2, seed=0)
    for i in range(6):
        chain = data[i]
        assert bool(chain["has_recent"])
        pictures = (chain["reference"], chain["recent"], *chain["targets"])
        assert [int(p.float().mean((0, 1)).argmax()) for p in pictures] == [0, 1, 2, 2]


def test_mask_of_recent(standing: Library) -> None:
    """It lies over the object in its own picture, a little off, as a network's would."""
    settings = replace(ONWARD, recent=1.0, colour=0.0, grey=0.0, blur=0.0, soft=0.0)
    data, overlaps, windows = chains(standing, settings, mix=STANDING), [], []
    for i in range(16):
        chain = data[i]
        red, _, blue = chain["recent"].int().unbind(2)
        overlaps.append(shared(chain["recent_mask"], 255 * (red - blue > 110)))
        windows.append(shared(chain["recent_mask"], chain["masks"][0]))
    assert np.median(overlaps) > 0.7
    assert min(overlaps) > 0.4
    assert max(overlaps) < 0.99
    assert np.median(windows) < np.median(overlaps)  # not the target's window


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_share_of_exact(standing: Library, share: float) -> None:
    """As many chains as told have the moment before the first target as their reference."""
    data = ChainDataset(Staged(standing, STANDING), replace(ONWARD, exact=share, grey=0.0), chains=40, batch=4, seed=0)
    found = [int(data[i]["reference"].float().mean((0, 1)).argmax()) == 1 for i in range(40)]
    assert np.mean(found) == pytest.approx(share, abs=0.2 * (0 < share < 1))


@pytest.mark.parametrize("lost", [0.0, 1.0])
def test_exact(standing: Library, lost: float) -> None:
    """The reference's mask is the object in its picture, and what guides is the truth of the moment before; nothing
    where the object is lost."""
    plain = replace(ONWARD, exact=1.0, lost=lost, colour=0.0, grey=0.0, blur=0.0, soft=0.0)
    for i in range(8):
        chain = chains(standing, plain, mix=STANDING)[i]
        red, _, blue = chain["reference"].int().unbind(2)
        assert shared(chain["reference_mask"], 255 * (red - blue > 110)) > 0.95
        expected = chain["masks"][0] if not lost else torch.zeros_like(chain["guidance"])  # it stands still
        assert torch.equal(chain["guidance"], expected)
