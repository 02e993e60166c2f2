"""Windows of whole frame pixels, as SiamMask's program cuts them and pastes its masks (MODELS-siammask 6 and 7).

Its checkpoints have only ever seen such crops. Numbers are its own: a position is where an object is in pixels
counted from the centre of the first one, so everything lies half a pixel beside where this house would have it.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from vossegment.tracking.geometry import FloatArray, host_may_read
from vossegment.tracking.types import Image

_MOST_SIDE = 4096


def whole_windows(centres: Tensor, sides: Tensor, size: int) -> Tensor:
    """Windows ``(N, 2, 3)`` of ``sides`` ``(N,)`` rounded, that begin at a whole pixel (halves to even)."""
    sides = sides.round().clamp(min=1)
    windows = centres.new_zeros(len(centres), 2, 3)
    windows[:, 0, 0] = windows[:, 1, 1] = sides / size
    windows[:, :, 2] = (centres - (sides[:, None] + 1) / 2).round()
    return windows


def crop_whole(frame: Tensor, windows: Tensor, size: int, fill: Tensor) -> Tensor:
    """``geometry.crop`` of whole windows: bilinear from the window's pixels themselves, the fill without its fraction.

    On the host byte for byte what SiamMask's program cuts, on a device to one grey level.
    """
    fill = fill.floor()
    if not len(windows) or not host_may_read(frame.device):
        return _sampled(frame, windows, size, fill)
    pixels, maps = frame.numpy(), windows.double().numpy()
    cut_out = []
    for i, (window, colour) in enumerate(zip(maps, fill.tolist(), strict=True)):
        if window[0, 0] * size > _MOST_SIDE:  # far larger than the frame: sampled without being laid out
            cut_out.append(_sampled(frame, windows[i : i + 1], size, fill[i : i + 1]))
        else:
            resized = torch.from_numpy(_resized(pixels, window, size, colour))
            cut_out.append(resized.permute(2, 0, 1)[None].to(windows.dtype))
    return torch.cat(cut_out).contiguous(memory_format=torch.channels_last)


def _sampled(frame: Tensor, windows: Tensor, size: int, fill: Tensor) -> Tensor:
    """The same from the four pixels under each sample, without laying out the window."""
    sides = (windows[:, 0, 0] * size).round()[:, None]
    along = torch.arange(size, dtype=windows.dtype, device=windows.device) + 0.5
    # Beyond the window's outermost pixels nothing is read, as if it were a picture of its own.
    places = torch.minimum((along * windows[:, 0, 0, None] - 0.5).clamp(min=0), sides - 1)
    low = places.floor()
    high = torch.minimum(low + 1, sides - 1)
    share = (places - low)[:, :, None, None]
    x, y = (windows[:, axis, 2, None, None] + torch.stack([low, high], 1) for axis in (0, 1))  # (N, 2, size)
    height, width = frame.shape[:2]
    columns, rows = x.clamp(0, width - 1).long(), y.clamp(0, height - 1).long()
    across, down = (x >= 0) & (x < width), (y >= 0) & (y < height)

    def row_of(which: int) -> Tensor:
        parts = []
        for side in (0, 1):
            seen = frame[rows[:, which, :, None], columns[:, side, None]].to(windows.dtype)  # (N, size, size, 3)
            inside = down[:, which, :, None] & across[:, side, None]
            parts.append(torch.where(inside[..., None], seen, fill[:, None, None]))
        return torch.lerp(parts[0], parts[1], share.view(-1, 1, size, 1))

    return torch.lerp(row_of(0), row_of(1), share).round().permute(0, 3, 1, 2)


def _resized(picture: Image, window: FloatArray, size: int, fill: list[float]) -> Image:
    x0, y0 = (int(v) for v in window[:, 2])
    side = round(float(window[0, 0]) * size)
    height, width = picture.shape[:2]
    across = slice(min(max(x0, 0), width), min(max(x0 + side, 0), width))
    down = slice(min(max(y0, 0), height), min(max(y0 + side, 0), height))
    inside = picture[down, across]
    if not inside.size:
        return np.tile(np.array(fill, np.uint8), (size, size, 1))
    margins = down.start - y0, y0 + side - down.stop, across.start - x0, x0 + side - across.stop
    if any(margins):
        inside = cv2.copyMakeBorder(inside, *margins, cv2.BORDER_CONSTANT, value=fill).astype(np.uint8, copy=False)
    if side == size:
        return inside.copy()
    return cv2.resize(inside, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def pasting_windows(windows: Tensor, frame: Tensor) -> Tensor:
    """Where SiamMask's program pastes the masks of ``windows`` ``(N, 2, 3)``: its map from mask to frame takes the
    first pixel to the first and the last to the last, which is short of one pixel in the frame's width."""
    height, width = frame.shape[:2]
    pasted = windows.clone()
    for axis, side in ((0, width), (1, height)):
        share = (side - 1) / side
        pasted[:, axis] *= share
        pasted[:, axis, 2] += 0.5 - 0.5 * pasted[:, axis, axis]
    return pasted
