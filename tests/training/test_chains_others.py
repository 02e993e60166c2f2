"""Chains in which the object is away, lost, or among others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from standing import ONWARD, STANDING, THREE, chains, shared
from torch import Tensor

from vossegment.training.chains import ChainDataset
from vossegment.training.clips import ClipMaker, Mix
from vossegment.training.library import Library
from vossegment.training.shots import Shot


def test_absent(library: Library) -> None:
    """Another clip's picture with an empty truth comes first, guided as if it were not in half of them; then the
    object again."""
    data = chains(library, replace(ONWARD, absent=1.0, lengths=THREE))
    found = [data[i] for i in range(40)]
    assert not any(bool(chain["masks"][0].any()) for chain in found)
    assert sum(bool((chain["masks"][1:] > 127).any()) for chain in found) > 30
    assert 8 < sum(bool(chain["guidance"].any()) for chain in found) < 32


class Elsewhere(ClipMaker):
    """Clips as ever, but what is shown instead of them, one shot at a time, is plain blue."""

    def clip(self, rng: Generator, length: int) -> list[Shot]:
        shots = super().clip(rng, length)
        blue = np.full((120, 160, 3), (0, 0, 200), np.uint8)
        return [replace(shots[0], backdrop=blue, track=None)] if length == 1 else shots


def test_absent_shows_another_clip(standing: Library) -> None:
    """The first picture is another clip's; the reference and what comes after are the clip's own."""
    settings = replace(ONWARD, absent=1.0, grey=0.0, lengths=((0, 2),))
    data = ChainDataset(Elsewhere(standing, STANDING), settings, chains=6, batch=2, seed=0)
    for i in range(6):
        for picture, blue in zip((data[i]["reference"], *data[i]["targets"]), (False, True, False), strict=True):
            red, _, depth = picture.float().mean((0, 1)).tolist()
            assert (depth > red + 80) is blue


def test_absent_never_shows_the_object(library: Library) -> None:
    """Where there is no other object the first picture of an absent chain is empty."""
    alone = Library((), library.stills)
    data = chains(alone, replace(ONWARD, absent=1.0, blur=0.0, soft=0.0), mix=Mix(video=0.0, still=1.0, composed=0.0))
    for i in range(4):
        chain = data[i]
        assert not chain["masks"].any()
        assert chain["targets"].float().std((1, 2)).max() == 0
        assert chain["reference"].float().std((0, 1)).max() > 10


def test_lost(library: Library) -> None:
    """Nothing guides; the truth is there all the same, seen from further away."""
    lost, guided = ([chains(library, replace(ONWARD, lost=share))[i] for i in range(20)] for share in (1.0, 0.0))
    assert not any(bool(chain["guidance"].any()) for chain in lost)
    assert all(bool(chain["guidance"].any()) for chain in guided)
    areas = [[float((c["masks"][0] > 127).float().mean()) for c in found] for found in (lost, guided)]
    assert min(areas[0]) >= 0.003
    assert np.mean(areas[0]) < 0.8 * np.mean(areas[1])


def known_rivals(two: Library, **changes: float) -> list[dict[str, Tensor]]:
    data = chains(two, replace(ONWARD, lengths=THREE, turn=0.0, flip=0.0, **changes), mix=STANDING)  # type: ignore[arg-type]
    return [data[i] for i in range(8)]


def test_rivals(two: Library) -> None:
    """Where they are known, the other objects of the video are: in the reference, and in each target's window."""
    for chain in known_rivals(two, rivals=1.0, grey=0.0, blur=0.0, soft=0.0):
        assert chain["rivals"].amax((1, 2)).min() > 127
        # The target is red or blue, the rival the other; a mask may be a little off, as any mask of a tracker is.
        tinge = [(p[..., 0].int() - p[..., 2].int()) for p in (chain["reference"], *chain["targets"])]
        sign = 1 if float(tinge[1][chain["masks"][0] > 250].float().mean()) > 0 else -1
        overlaps = [shared(r, 255 * (sign * t < -50)) for r, t in zip(chain["rivals"], tinge, strict=True)]
        assert np.mean(overlaps) > 0.5


def test_no_rivals(two: Library, library: Library) -> None:
    """Not known, or begun from a box, or alone in the video: nothing."""
    assert not any(bool(chain["rivals"].any()) for chain in known_rivals(two, rivals=0.0))
    assert not any(bool(chain["rivals"].any()) for chain in known_rivals(two, rivals=1.0, start=1.0))
    alone = chains(library, replace(ONWARD, rivals=1.0), mix=Mix(video=0.0, still=1.0, composed=0.0))
    assert not any(bool(alone[i]["rivals"].any()) for i in range(4))


def test_rivals_of_another_picture(two: Library) -> None:
    """Where another clip is shown first, nothing is known of what is in it."""
    for chain in known_rivals(two, rivals=1.0, absent=1.0):
        assert [bool(r.any()) for r in chain["rivals"]] == [True, False, True, True]
