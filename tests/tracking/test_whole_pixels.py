"""Crops of whole pixels: on a device what they are on the host; the reference's own are in test_siammask_parity."""

from __future__ import annotations

import pytest
import torch

from vossegment.tracking import whole_pixels
from vossegment.tracking.whole_pixels import crop_whole, whole_windows

FRAME = torch.randint(0, 256, (60, 80, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
FILL = torch.tensor([[10.9, 120.0, 250.4]])


@pytest.mark.parametrize("size", [31, 64])
@pytest.mark.parametrize(
    ("x", "y", "side"),
    [(40, 30, 31), (40, 30, 20.4), (2, 58, 45), (40, 30, 200), (300, 30, 40), (-5, -5, 1), (79, 3, 64)],
)
def test_devices_cut_the_same(x: float, y: float, side: float, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside, over each border, larger than the frame, beyond it, one pixel, enlarged and reduced: to a grey level."""
    windows = whole_windows(torch.tensor([[x, y]], dtype=torch.float32), torch.tensor([float(side)]), size)
    host = crop_whole(FRAME, windows, size, FILL)
    monkeypatch.setattr(whole_pixels, "host_may_read", lambda device: False)
    device = crop_whole(FRAME, windows, size, FILL)
    assert host.shape == device.shape == (1, 3, size, size)
    assert float((host - device).abs().max()) <= 1
    assert float((host - device).abs().mean()) < 0.2


def test_several_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each object has its own window and colour; none is no crop."""
    windows = whole_windows(torch.tensor([[10.0, 10.0], [75.0, 30.0]]), torch.tensor([30.0, 50.0]), 16)
    fill = torch.tensor([[0.0, 0.0, 0.0], [200.0, 100.0, 50.0]])
    host = crop_whole(FRAME, windows, 16, fill)
    monkeypatch.setattr(whole_pixels, "host_may_read", lambda device: False)
    torch.testing.assert_close(crop_whole(FRAME, windows, 16, fill), host, rtol=0, atol=1)
    assert crop_whole(FRAME, windows[:0], 16, fill[:0]).shape == (0, 3, 16, 16)


def test_a_window_far_larger_than_the_frame() -> None:
    """Its pixels are not laid out."""
    windows = whole_windows(torch.tensor([[40.0, 30.0]]), torch.tensor([3e6]), 16)
    found = crop_whole(FRAME, windows, 16, FILL)
    assert found[0, :, 0, 0].tolist() == [10, 120, 250]
