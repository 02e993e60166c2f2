"""Chains: pure in (seed, index), of the lengths asked, and with maps between their windows that are true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import default_collate

from vossegment.data.sequence import ArraySequence
from vossegment.errors import DataError
from vossegment.tracking.geometry import resample
from vossegment.training.chains import ChainDataset, ChainSettings
from vossegment.training.clips import ClipMaker, Mix
from vossegment.training.library import Library, tight_box
from vossegment.training.shots import Shot

SMALL = ChainSettings(size=64)
ONWARD = replace(SMALL, start=0.0, exact=0.0, lost=0.0, absent=0.0, rivals=0.0)
THREE = ((0, 3),)


def chains(
    library: Library, settings: ChainSettings = SMALL, *, seed: int = 0, batch: int = 4, mix: Mix | None = None
) -> ChainDataset:
    return ChainDataset(ClipMaker(library, mix or Mix()), settings, chains=40, batch=batch, seed=seed)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(v, other[k]) for k, v in one.items())


def shared(one: Tensor, other: Tensor) -> float:
    """IoU of the pixels over one half."""
    a, b = one > 127, other > 127
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def standing() -> Library:
    """A video of four equal frames: an ellipse that does not move."""
    import cv2

    image, labels = np.full((120, 160, 3), 90, np.uint8), np.zeros((120, 160), np.uint8)
    cv2.ellipse(labels, (85, 55), (30, 18), 20, 0, 360, 1, -1)
    image[labels == 1] = (250, 40, 30)
    return Library.load([ArraySequence("standing", (image,) * 4, (labels,) * 4)])


@pytest.fixture(scope="module")
def two() -> Library:
    """A video of four equal frames with a red object and a blue one side by side."""
    image, labels = np.full((120, 160, 3), 90, np.uint8), np.zeros((120, 160), np.uint8)
    labels[40:75, 50:72], labels[45:80, 80:105] = 1, 2
    image[labels == 1], image[labels == 2] = (240, 40, 30), (30, 40, 240)
    return Library.load([ArraySequence("two", (image,) * 4, (labels,) * 4)])


STANDING = Mix(video=1.0, still=0.0, composed=0.0, video_extras=0.0)


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


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_share_of_starts(library: Library, share: float) -> None:
    """As many chains as told begin from a box."""
    found = [bool(chains(library, replace(SMALL, start=share))[i]["start"]) for i in range(40)]
    assert np.mean(found) == pytest.approx(share, abs=0.2 * share * (share < 1))


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
