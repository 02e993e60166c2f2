"""Windows: crop and paste, each other's inverse, in torch and in OpenCV."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vossegment.tracking.geometry import (
    between,
    context_side,
    crop,
    crop_array,
    cut,
    inner_windows,
    inverse,
    mask_boxes,
    mean_colour,
    object_side,
    paste,
    resample,
    square_windows,
)


def smooth(height: int, width: int) -> Tensor:
    """A picture of slow waves, ``(H, W, 3)`` uint8."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    waves = [torch.sin(x / 19 + k) * torch.cos(y / 23 - k) for k in range(3)]
    return (torch.stack(waves, 2) * 110 + 128).to(torch.uint8)


def turned(centre: tuple[float, float], scale: float, degrees: float, size: int) -> Tensor:
    """A window of ``size`` pixels, each ``scale`` frame pixels, turned about ``centre``; ``(1, 2, 3)``."""
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    linear = torch.tensor([[c, -s], [s, c]])
    offset = torch.tensor(centre) - linear @ torch.tensor([size / 2, size / 2])
    return torch.cat([linear, offset[:, None]], 1)[None]


BLACK = torch.zeros(1, 3)


@pytest.mark.parametrize(
    ("size", "side"), [((10.0, 10.0), 20.0), ((30.0, 10.0), math.sqrt(50 * 30)), ((4.0, 96.0), math.sqrt(54 * 146))]
)
def test_context_side(size: tuple[float, float], side: float) -> None:
    """sqrt((w + p)(h + p)) with p = (w + h) / 2."""
    assert context_side(torch.tensor([size])).tolist() == pytest.approx([side])


@pytest.mark.parametrize(
    ("size", "side"),
    [
        ((0.0, 0.0), 8.0),
        ((1.0, 1.0), 10.0),
        ((40.0, 40.0), 88.0),
        ((80.0, 45.0), 2 * 60 + 8.0),
        ((10.0, 160.0), 1.35 * 160 + 8),
        ((160.0, 10.0), 1.35 * 160 + 8),
    ],
)
def test_object_side(size: tuple[float, float], side: float) -> None:
    """Twice the object's own side, or enough for a long one; tiny ones keep eight pixels of room."""
    assert object_side(torch.tensor([size])).tolist() == pytest.approx([side])


def test_object_sides() -> None:
    """N sizes give N sides, none none; the window always holds the object."""
    assert object_side(torch.zeros(0, 2)).shape == (0,)
    sizes = torch.rand(50, 2) * torch.tensor([300.0, 40.0])
    sides = object_side(sizes)
    assert (sides > sizes.amax(1)).all()
    torch.testing.assert_close(torch.cat([object_side(size[None]) for size in sizes]), sides)


def test_square_windows() -> None:
    """A window's corners are the square's corners; none asked for, none given."""
    assert square_windows(torch.zeros(0, 2), torch.zeros(0), 9).shape == (0, 2, 3)
    windows = square_windows(torch.tensor([[20.0, 30.0], [0.0, 5.0]]), torch.tensor([10.0, 4.0]), 5)
    corners = torch.tensor([[0.0, 0, 1], [5, 5, 1]]).T
    torch.testing.assert_close(windows @ corners, torch.tensor([[[15.0, 25], [25, 35]], [[-2.0, 2], [3, 7]]]))


def test_inner_windows() -> None:
    """A window in a window begins at its corner, turned or not, and keeps the pixel size."""
    for outer in (turned((40, 30), 1.5, 0, 20), turned((40, 30), 0.7, 33, 20)):
        inner = inner_windows(outer, torch.tensor([[-3.0, 7.0]]))
        point = torch.tensor([[2.0], [5.0], [1.0]])
        torch.testing.assert_close(inner[0] @ point, outer[0] @ (point + torch.tensor([[-3.0], [7.0], [0.0]])))


def test_inner_windows_leave_the_outer_alone() -> None:
    """The given windows are not changed."""
    outer = turned((40, 30), 1.5, 10, 20)
    before = outer.clone()
    inner_windows(outer, torch.tensor([[5.0, 5.0]]))
    assert torch.equal(outer, before)


def test_inverse() -> None:
    """Window to frame and back is where one began."""
    windows = torch.cat([turned((5, 6), 1, 0, 8), turned((50, 20), 3.1, 70, 8), turned((-9, 2), 0.2, -120, 8)])
    points = torch.rand(3, 2, 4) * 30
    there = windows[:, :, :2] @ points + windows[:, :, 2:]
    back = inverse(windows)
    torch.testing.assert_close(back[:, :, :2] @ there + back[:, :, 2:], points, rtol=1e-4, atol=1e-4)


def test_crop_of_whole_pixels_is_a_slice() -> None:
    """A window of the frame's own pixels copies them exactly."""
    frame = smooth(40, 60)
    window = square_windows(torch.tensor([[30.0, 20.0]]), torch.tensor([16.0]), 16)
    expected = frame[12:28, 22:38].permute(2, 0, 1).float()
    torch.testing.assert_close(crop(frame, window, 16, BLACK)[0], expected, rtol=0, atol=1e-3)


def test_half_pixel_centres() -> None:
    """Halving the size averages 2x2 pixels: nothing drifts by half a pixel."""
    frame = torch.randint(0, 256, (16, 16, 3), dtype=torch.uint8)
    window = square_windows(torch.tensor([[8.0, 8.0]]), torch.tensor([16.0]), 8)
    expected = frame.float().view(8, 2, 8, 2, 3).mean((1, 3)).permute(2, 0, 1)
    torch.testing.assert_close(crop(frame, window, 8, BLACK)[0], expected, rtol=0, atol=0.51)


@pytest.mark.parametrize("count", [1, 2])
def test_outside_is_the_fill(count: int) -> None:
    """Beyond the frame lies the object's own mean colour, and all of it if the window is wholly outside."""
    frame = smooth(20, 20)
    fill = torch.tensor([[10.0, 20, 30], [40, 50, 60]])[:count]
    centres = torch.tensor([[0.0, 0.0], [900.0, 5.0]])[:count]
    crops = crop(frame, square_windows(centres, torch.full((count,), 16.0), 16), 16, fill)
    torch.testing.assert_close(crops[0, :, :8], fill[0, :, None, None].expand(3, 8, 16), rtol=0, atol=1e-3)
    torch.testing.assert_close(crops[0, :, 8:, 8:], frame[:8, :8].permute(2, 0, 1).float(), rtol=0, atol=1e-3)
    if count == 2:
        torch.testing.assert_close(crops[1], fill[1, :, None, None].expand(3, 16, 16), rtol=0, atol=1e-3)


def test_many_windows_are_each_window() -> None:
    """N windows of a frame are N crops of one, inside, across the edge and outside."""
    frame = smooth(50, 70)
    windows = torch.cat([turned((30, 20), 1.3, 0, 24), turned((3, 2), 0.8, 25, 24), turned((200, 99), 2, 0, 24)])
    fill = torch.rand(3, 3) * 255
    together = crop(frame, windows, 24, fill)
    alone = torch.cat([crop(frame, windows[i : i + 1], 24, fill[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=0.01)


@pytest.mark.parametrize("scale", [2.0, 3.3, 4.0, 9.0])
def test_fine_patterns_are_averaged(scale: float) -> None:
    """Stripes finer than a window pixel become their mean, wherever the window begins; no false stripes."""
    frame = torch.zeros(200, 240, 3, dtype=torch.uint8)
    frame[:, ::2] = 200
    for x in (100.0, 100.4, 101.0):
        window = square_windows(torch.tensor([[x, 90.0]]), torch.tensor([16 * scale]), 16)
        found = crop(frame, window, 16, torch.full((1, 3), 100.0))
        assert (found - 100).abs().max() < 1


def test_crop_is_the_same_on_any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether only the part under a window is read, or the whole frame at every size, the crop is the same."""
    frame = smooth(70, 90)
    places = ((45, 35), 0.6, 20), ((5, 60), 2.2, 0), ((80, 10), 3.7, 70), ((45, 35), 9.0, 0), ((500, 35), 2, 0)
    windows = torch.cat([turned(centre, scale, degrees, 20) for centre, scale, degrees in places])
    fill = torch.rand(len(places), 3) * 255
    here = crop(frame, windows, 20, fill)
    monkeypatch.setattr("vossegment.tracking.geometry.host_may_read", lambda device: False)
    torch.testing.assert_close(crop(frame, windows, 20, fill), here, rtol=0, atol=2)


def test_no_windows() -> None:
    """No window, no crop, and nothing to paste."""
    none = torch.zeros(0, 2, 3)
    assert crop(smooth(9, 9), none, 7, torch.zeros(0, 3)).shape == (0, 3, 7, 7)
    assert paste(torch.zeros(0, 7, 7), none, 5, 6).shape == (0, 5, 6)


@pytest.mark.parametrize(("scale", "degrees"), [(1, 0), (0.8, 0), (0.71, 30), (0.6, -135)])
def test_round_trip(scale: float, degrees: float) -> None:
    """Cut out and pasted back, a smooth picture is itself where the window lay, and 0 where not."""
    frame = smooth(60, 80)
    window = turned((41.3, 28.6), scale, degrees, 48)
    channel = crop(frame, window, 48, BLACK)[:, 0]
    back = paste(channel, window, 60, 80)[0]
    ones = paste(torch.ones(1, 48, 48), window, 60, 80)[0]
    inside = ones > 0.999
    assert 0.6 < float(inside.sum()) / (48 * scale) ** 2 <= 1
    assert (back - frame[:, :, 0].float())[inside].abs().max() < 3
    assert back[ones == 0].abs().max() == 0


def test_paste_agrees_with_the_maps() -> None:
    """A pixel of the mask lands where its window says."""
    mask = torch.zeros(1, 9, 9)
    mask[0, 6, 2] = 1
    window = square_windows(torch.tensor([[13.5, 11.5]]), torch.tensor([9.0]), 9)
    pasted = paste(mask, window, 20, 30)[0]
    assert (pasted > 0.5).nonzero().tolist() == [[7 + 6, 9 + 2]]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_resample_by_the_identity(n: int) -> None:
    """Seen from its own window a mask is itself."""
    masks = torch.rand(n, 9, 9)
    torch.testing.assert_close(resample(masks, torch.eye(2, 3).expand(n, 2, 3)), masks)


def test_resample_goes_from_new_to_old() -> None:
    """A window that begins 2 right of and 3 above the old one shows its pixels 2 further left and 3 further down."""
    mask = torch.rand(1, 9, 9)
    found = resample(mask, torch.tensor([[[1.0, 0, 2], [0, 1.0, -3]]]))
    torch.testing.assert_close(found[0, 3:, :7], mask[0, :6, 2:])
    assert found[0, :3].max() < 1e-5
    assert found[0, :, 7:].max() < 1e-5


def test_resample_each_by_its_own_map() -> None:
    """N masks by N maps: one twice as near, one mirrored."""
    masks = torch.rand(2, 8, 8)
    maps = torch.tensor([[[0.5, 0, 0], [0, 0.5, 0]], [[-1.0, 0, 8], [0, 1.0, 0]]])
    found = resample(masks, maps)
    torch.testing.assert_close(found[1], masks[1].flip(1))
    larger = torch.nn.functional.interpolate(masks[:1, None], scale_factor=2, mode="bilinear")[0, 0]
    torch.testing.assert_close(found[0, 1:, 1:], larger[1:8, 1:8])


@pytest.mark.parametrize(("scale", "degrees"), [(1, 0), (0.8, 30), (1.3, -50)])
def test_resample_is_paste_and_cut(scale: float, degrees: float) -> None:
    """From window to window directly is by way of the frame, to interpolation error, for a smooth mask."""
    old, new = turned((60, 50), 1, 10, 48), turned((63, 46), scale, degrees, 48)
    mask = smooth(48, 48)[None, :, :, 0].float()
    direct, known = (resample(m, between(new, old)) for m in (mask, torch.ones_like(mask)))
    over_the_frame = cut(paste(mask, old, 120, 130), new, 48)
    inside = cut((paste(torch.ones_like(mask), old, 120, 130) > 0.999).float(), new, 48) > 0.999
    assert 0.3 < float(inside.float().mean()) <= 1
    assert bool((known[inside] > 0.999).all())
    assert (direct - over_the_frame)[inside].abs().max() < 3


def test_cut_is_the_same_on_any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """By OpenCV or by torch, to the 32nd of a pixel that OpenCV reckons with; gradients go by torch."""
    masks = smooth(48, 48)[None, :, :, 0].float() / 255
    masks = torch.cat([masks, 1 - masks])
    maps = torch.cat([turned((20, 30), 0.7, 25, 40), turned((5, 5), 1.6, 0, 40)])
    here = cut(masks, maps, 40)
    assert cut(masks.requires_grad_(), maps, 40).requires_grad
    monkeypatch.setattr("vossegment.tracking.geometry.host_may_read", lambda device: False)
    torch.testing.assert_close(cut(masks.detach(), maps, 40), here, rtol=0, atol=0.02)


def test_between() -> None:
    """The map from a window to itself is none; from one to another and on is the way there at once."""
    a, b, c = (turned((5 + 9 * k, 20 - k), 0.7 + k, 40.0 * k, 16) for k in range(3))
    torch.testing.assert_close(between(a, a), torch.eye(2, 3)[None], rtol=1e-5, atol=1e-5)
    point = torch.tensor([[3.0], [7.0]])
    there = between(a, b)[:, :, :2] @ point + between(a, b)[:, :, 2:]
    on = between(b, c)[:, :, :2] @ there + between(b, c)[:, :, 2:]
    torch.testing.assert_close(on, between(a, c)[:, :, :2] @ point + between(a, c)[:, :, 2:], rtol=1e-4, atol=1e-4)
    in_frame = [w[:, :, :2] @ p + w[:, :, 2:] for w, p in ((a, point), (b, there))]
    torch.testing.assert_close(in_frame[1], in_frame[0], rtol=1e-4, atol=1e-4)


def test_cut_is_a_slice() -> None:
    """A mask of the whole frame, in a window of the frame's own pixels, is a slice of it, 0 beyond the frame."""
    masks = torch.rand(2, 20, 30)
    windows = square_windows(torch.tensor([[15.0, 10.0], [0.0, 10.0]]), torch.tensor([8.0, 8.0]), 8)
    found = cut(masks, windows, 8)
    torch.testing.assert_close(found[0], masks[0, 6:14, 11:19])
    torch.testing.assert_close(found[1, :, 4:], masks[1, 6:14, :4])
    assert found[1, :, :4].max() < 1e-5


@pytest.mark.parametrize("host", [True, False])
def test_cut_beyond(monkeypatch: pytest.MonkeyPatch, host: bool) -> None:
    """A window that touches the mask by a part of a pixel sees that; one further on, to any side, sees nothing."""
    monkeypatch.setattr("vossegment.tracking.geometry.host_may_read", lambda device: host)
    centres = torch.tensor([[-3.6, 5.0], [-40.0, 5.0], [90.0, 5.0], [5.0, -40.0], [5.0, 90.0], [-4e6, 5.0]])
    found = cut(torch.ones(6, 10, 12), square_windows(centres, torch.full((6,), 8.0), 8), 8)
    assert float(found[0].max()) > 0.3
    assert not found[1:].any()


@pytest.mark.parametrize("host", [True, False])
def test_mask_boxes(monkeypatch: pytest.MonkeyPatch, host: bool) -> None:
    """Tight boxes in frame pixels, from the first pixel's near edge to the last one's far edge; none: the window."""
    monkeypatch.setattr("vossegment.tracking.geometry.host_may_read", lambda device: host)
    inside = torch.zeros(3, 10, 10, dtype=torch.bool)
    inside[0, 2:5, 3:9] = True
    inside[1, 9, 0] = True
    windows = square_windows(torch.tensor([[50.0, 40.0], [5.0, 5.0], [0.0, 0.0]]), torch.tensor([20.0, 10, 30]), 10)
    boxes, there = mask_boxes(inside, windows)
    assert boxes.tolist() == [[46, 34, 58, 40], [0, 9, 1, 10], [-15, -15, 15, 15]]
    assert there.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("centre", "scale", "degrees"),
    [((30, 25), 1, 0), ((30.3, 24.8), 0.6, 0), ((30.3, 24.8), 1.7, 0), ((2, 60), 0.9, 25), ((31, 22), 0.83, -70)],
)
def test_crop_array_is_crop(centre: tuple[float, float], scale: float, degrees: float) -> None:
    """Data loading's crop by OpenCV is the tracker's to a grey level, turned and over the edge too."""
    frame = smooth(50, 60)
    window = turned(centre, scale, degrees, 32)
    colour = (90, 100, 110)
    ours = crop(frame, window, 32, torch.tensor([colour], dtype=torch.float32))[0].permute(1, 2, 0)
    theirs = crop_array(frame.numpy(), window[0].double().numpy(), 32, fill=colour)
    assert theirs.dtype == np.uint8
    # OpenCV rounds places to 1/32 pixel: inside next to nothing, at the frame's edge a share of a step of colour.
    difference = (ours - torch.from_numpy(theirs)).abs()
    one = torch.full((50, 60, 3), 255, dtype=torch.uint8)
    inside = crop(one, window, 32, BLACK)[0].permute(1, 2, 0) > 254.9
    assert inside.any()
    assert float(difference[inside].max()) <= 1.01
    assert float(difference.max()) <= 1 + 255 / 16


def test_crop_array_of_a_mask() -> None:
    """A one-channel picture gives a one-channel crop, and the window is not changed."""
    mask = np.zeros((20, 30), np.uint8)
    mask[5:10, 7:20] = 255
    window = np.array([[1.0, 0, 4], [0, 1.0, 3]])
    before = window.copy()
    assert (crop_array(mask, window, 12) == mask[3:15, 4:16]).all()
    assert (window == before).all()


def test_mean_colour() -> None:
    """The mean; just under a whole number it stays under it."""
    frame = torch.full((480, 854, 3), 120, dtype=torch.uint8)
    assert mean_colour(frame).tolist() == [120, 120, 120]
    frame[0, 0, 0], frame[0, 0, 1] = 119, 121
    assert mean_colour(frame).floor().tolist() == [119, 120, 120]
    torch.testing.assert_close(mean_colour(smooth(40, 50)), smooth(40, 50).double().mean((0, 1)).float())
