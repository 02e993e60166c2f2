"""Chains: pure in (seed, index), of the lengths asked, and with maps between their windows that are true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.random import Generator
from standing import ONWARD, SMALL, STANDING, THREE, chains, shared
from torch import Tensor
from torch.utils.data import default_collate

from vossegment.errors import DataError
from vossegment.tracking.geometry import resample
from vossegment.training.chains import ChainDataset, ChainSettings
from vossegment.training.clips import ClipMaker, Mix
from vossegment.training.library import Library, tight_box
from vossegment.training.shots import Shot


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(v, other[k]) for k, v in one.items())


def test_length(library: Library) -> None:
    """As many chains as asked."""
    assert len(chains(library)) == 40


@pytest.mark.parametrize("settings", [SMALL, replace(SMALL, start=1.0), replace(ONWARD, absent=0.5, lost=0.5)])
def test_pure(library: Library, settings: ChainSettings) -> None:
    """Chain i depends on seed and i alone: in any order, from any data set of the same settings."""
    settings = replace(settings, lengths=((0, 2),))
    one, again, other = (chains(library, settings, seed=s) for s in (7, 7, 8))
    forwards = [one[i] for i in range(6)]
    backwards = [again[i] for i in reversed(range(6))][::-1]
    assert all(same(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert not same(forwards[0], forwards[1])
    assert not same(forwards[0], other[0])


def test_lengths_by_step(library: Library) -> None:
    """A batch's chains are as long as its step asks, all of them, and can be stacked."""
    data = chains(library, replace(SMALL, lengths=((0, 1), (2, 2), (3, 4))), batch=3)
    assert [data.targets(i) for i in range(15)] == [1] * 6 + [2] * 3 + [4] * 6
    for step, k in enumerate((1, 1, 2, 4, 4)):
        batch = default_collate([data[step * 3 + i] for i in range(3)])
        assert {key: (tuple(v.shape), v.dtype) for key, v in batch.items()} == {
            "reference": ((3, 64, 64, 3), torch.uint8),
            "reference_mask": ((3, 64, 64), torch.uint8),
            "targets": ((3, k, 64, 64, 3), torch.uint8),
            "masks": ((3, k, 64, 64), torch.uint8),
            "guidance": ((3, 64, 64), torch.uint8),
            "rivals": ((3, 1 + k, 64, 64), torch.uint8),
            "recent": ((3, 64, 64, 3), torch.uint8),
            "recent_mask": ((3, 64, 64), torch.uint8),
            "has_recent": ((3,), torch.bool),
            "hops": ((3, k, 2, 3), torch.float32),
            "start": ((3,), torch.bool),
        }


def test_targets_are_shown(library: Library) -> None:
    """The object covers a part of the first target and of the reference, its mask over it: all objects are red."""
    mix = Mix(video_extras=0.0, occluder=0.0, same_object=0.0)
    plain = replace(ONWARD, colour=0.0, grey=0.0, blur=0.0, soft=0.0, lengths=THREE)
    for i in range(12):
        chain = chains(library, plain, mix=mix)[i]
        assert (chain["masks"][0] > 127).float().mean() >= 0.01
        assert chain["reference_mask"].any()
        assert chain["guidance"].any()
        for target, mask in zip(chain["targets"], chain["masks"], strict=True):
            assert target[mask > 250][:, 0].float().mean() > 190


@pytest.mark.parametrize("turn", [0.0, 25.0])
@pytest.mark.parametrize("settings", [ONWARD, replace(SMALL, start=1.0)])
def test_hops_map(standing: Library, settings: ChainSettings, turn: float) -> None:
    """Of an object that stands still, the mask of one window seen from the next is the next window's mask."""
    settings = replace(settings, size=128, turn=turn, lengths=THREE, scale=0.3)
    data, moved = chains(standing, settings, mix=STANDING), 0.0
    for i in range(8):
        masks, hops = data[i]["masks"].float() / 255, data[i]["hops"]
        torch.testing.assert_close(hops[0], torch.eye(2, 3))
        seen, known = (resample(m, hops[1:]) for m in (masks[:-1], torch.ones_like(masks[1:])))
        for k in range(2):
            off = (seen[k] - masks[k + 1]).abs() * (known[k] > 0.999)
            assert float(off.sum() / masks[k + 1].sum()) < 0.04
            moved = max(moved, float((masks[k] - masks[k + 1]).abs().sum() / masks[k + 1].sum()))
    assert moved > 0.2  # the windows do differ


def test_guidance_lies_in_the_first_window(standing: Library) -> None:
    """What guides the first target is the mask of the moment before, a little worse, seen from the same window."""
    data = chains(standing, replace(ONWARD, shift=0.5), mix=STANDING)
    overlaps = [shared(data[i]["guidance"], data[i]["masks"][0]) for i in range(16)]
    assert np.median(overlaps) > 0.65
    assert max(overlaps) < 0.99


def test_windows_fit_the_object(standing: Library) -> None:
    """Without jitter the object's box lies in the middle, in a window of the tracker's side."""
    still = replace(ONWARD, shift=0.0, scale=0.0, turn=0.0, flip=0.0)
    box = standing.videos[0].subject(0).box
    w, h = box[2] - box[0], box[3] - box[1]
    side = max(2 * np.sqrt(w * h), 1.35 * max(w, h)) + 8
    seen = tight_box(chains(standing, still, mix=STANDING)[0]["masks"][0].numpy())
    assert seen is not None
    expected = [32 - 32 * w / side, 32 - 32 * h / side, 32 + 32 * w / side, 32 + 32 * h / side]
    np.testing.assert_allclose(seen, expected, rtol=0, atol=1)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_flip(standing: Library, flip: float) -> None:
    """Mirrored, the ellipse leans the other way, in the reference as in every target."""
    data = chains(standing, replace(ONWARD, turn=0.0, flip=flip, grey=0.0, lengths=THREE), mix=STANDING)
    for i in range(4):
        chain = data[i]
        for picture in (chain["reference"].int(), *chain["targets"].int()):
            y, x = (picture[..., 0] - picture[..., 2] > 60).nonzero().T.float()
            lean = float(((x - x.mean()) * (y - y.mean())).mean())
            assert (lean < 0) is (flip == 1)


def test_colours(standing: Library) -> None:
    """The targets of a chain and the moment before have the same colours; the reference's are others; grey is grey
    all along."""
    plain = replace(ONWARD, recent=1.0, grey=0.0, blur=0.0, soft=0.0, lengths=THREE)
    chain = chains(standing, plain, mix=STANDING)[0]
    inside = [image[mask == 255].float().mean(0) for image, mask in zip(chain["targets"], chain["masks"], strict=True)]
    recent = chain["recent"][28:36, 28:36].float().mean((0, 1))
    for colour in (*inside[1:], recent):
        torch.testing.assert_close(colour, inside[0], rtol=0, atol=1)
    middle = chain["reference"][28:36, 28:36].float().mean((0, 1))
    assert (middle - inside[0]).abs().max() > 3
    grey = chains(standing, replace(plain, grey=1.0), mix=STANDING)[0]
    for picture in (grey["reference"], grey["recent"], *grey["targets"]):
        assert torch.equal(picture[..., 0], picture[..., 2])


class Hidden(ClipMaker):
    """Clips of which nothing is ever to be seen."""

    def clip(self, rng: Generator, length: int) -> list[Shot]:
        return [Shot(s.backdrop, s.place, np.zeros((120, 160), np.uint8), s.box) for s in self.real(rng, length)]


@pytest.mark.parametrize("start", [0.0, 1.0])
def test_nothing_to_see(standing: Library, start: float) -> None:
    """Where no clip shows its target that is said, not drawn for ever."""
    data = ChainDataset(Hidden(standing, STANDING), replace(SMALL, size=32, start=start), chains=1, batch=1, seed=0)
    with pytest.raises(DataError, match="no target to be seen in 200 clips"):
        data[0]
