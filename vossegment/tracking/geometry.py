"""Windows: crops cut from a frame and masks pasted back, each other's inverse.

A window is an affine map ``(2, 3)`` from window pixels to frame pixels. Coordinates are edges, half-pixel centres:
pixel 0 covers [0, 1) and its centre is 0.5, in the window as in the frame.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

FloatArray = npt.NDArray[np.float64]


def context_side(sizes: Tensor) -> Tensor:
    """Side of the square a template covers: ``(N, 2)`` w, h -> ``(N,)``; (w + h) / 2 of context in each direction.

    SiamFC 2.4 as SiamMask uses it: sqrt((w + p)(h + p)), p = (w + h) / 2.
    """
    padding = sizes.sum(1, keepdim=True) / 2
    return (sizes + padding).prod(1).sqrt()


def object_side(sizes: Tensor) -> Tensor:
    """Side of the square in which an object is segmented: ``(N, 2)`` w, h -> ``(N,)``, frame pixels.

    max(2 sqrt(w h), 1.35 max(w, h)) + 8 (MODELS-guided, "Window"): about half of the window is the object, long
    ones fit, and tiny ones keep some room.
    """
    return torch.maximum(2.0 * sizes.prod(1).sqrt(), 1.35 * sizes.amax(1)) + 8.0


def square_windows(centres: Tensor, sides: Tensor, size: int) -> Tensor:
    """Upright square windows: ``centres`` ``(N, 2)``, ``sides`` ``(N,)`` in frame pixels -> ``(N, 2, 3)``."""
    scale = sides / size
    windows = centres.new_zeros(len(centres), 2, 3)
    windows[:, 0, 0] = scale
    windows[:, 1, 1] = scale
    windows[:, :, 2] = centres - sides[:, None] / 2
    return windows


def inner_windows(windows: Tensor, corners: Tensor) -> Tensor:
    """Windows that begin at ``corners`` ``(N, 2)`` x, y of the given ones, with the same pixel size."""
    inner = windows.clone()
    inner[:, :, 2] += (windows[:, :, :2] @ corners[:, :, None])[:, :, 0]
    return inner


def inverse(windows: Tensor) -> Tensor:
    """The maps back, from frame pixels to window pixels, ``(N, 2, 3)``."""
    a, b, c, d = windows[:, 0, 0], windows[:, 0, 1], windows[:, 1, 0], windows[:, 1, 1]
    linear = torch.stack([d, -b, -c, a], 1).view(-1, 2, 2) / (a * d - b * c)[:, None, None]
    return torch.cat([linear, -linear @ windows[:, :, 2:]], 2)


def between(windows: Tensor, others: Tensor) -> Tensor:
    """The maps from pixels of ``windows`` to pixels of ``others``, ``(N, 2, 3)`` each."""
    back = inverse(others)
    return torch.cat([back[:, :, :2] @ windows[:, :, :2], back[:, :, :2] @ windows[:, :, 2:] + back[:, :, 2:]], 2)


def mask_boxes(inside: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
    """Tightest boxes round masks ``(N, S, S)`` bool in upright windows: ``(N, 4)`` x0 y0 x1 y1 in frame pixels, and
    ``(N,)`` bool whether there is a pixel at all (where not, the box is the window)."""
    ends = []
    for axis in (1, 2):  # over rows: columns' extent; over columns: rows' extent
        line = inside.any(axis).to(windows.dtype)
        ends.append((line.argmax(1), line.shape[1] - line.flip(1).argmax(1)))
    (x0, x1), (y0, y1) = ends
    scale = torch.stack([windows[:, 0, 0], windows[:, 1, 1]], 1)
    low = torch.stack([x0, y0], 1) * scale + windows[:, :, 2]
    high = torch.stack([x1, y1], 1) * scale + windows[:, :, 2]
    return torch.cat([low, high], 1), inside.flatten(1).any(1)


def _places(maps: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where the output's pixel centres lie, x and y ``(N, height, width)``."""
    x = torch.arange(width, dtype=maps.dtype, device=maps.device) + 0.5
    y = torch.arange(height, dtype=maps.dtype, device=maps.device)[:, None] + 0.5
    a, b, c, d, e, f = maps.flatten(1).T[:, :, None, None]
    return a * x + b * y + c, d * x + e * y + f


def _sample(pictures: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear samples of ``(N, C, H, W)`` at ``x``, ``y``; zero outside."""
    if not len(x):
        return pictures.new_zeros(0, pictures.shape[1], *x.shape[1:])
    # grid_sample counts from -1 to 1 over the picture's edges.
    grid = torch.stack([x * (2 / pictures.shape[3]) - 1, y * (2 / pictures.shape[2]) - 1], 3)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


_REDUCTIONS = (1, 2, 4, 8, 16)


def crop(frame: Tensor, windows: Tensor, size: int, fill: Tensor) -> Tensor:
    """Cuts N windows from one frame.

    ``frame`` ``(H, W, 3)`` uint8, ``windows`` ``(N, 2, 3)``, ``fill`` ``(N, 3)`` the colour outside the frame ->
    ``(N, 3, size, size)`` float, 0..255. Where a window pixel covers two frame pixels or more, the frame is first
    reduced to the next size by averaging, so that fine patterns do not turn into false ones.
    """
    if not len(windows):
        return windows.new_zeros(0, 3, size, size)
    levels = (windows[:, 0, 0] * windows[:, 1, 1] - windows[:, 0, 1] * windows[:, 1, 0]).abs().sqrt().log2().floor()
    levels = levels.clamp(0, len(_REDUCTIONS) - 1)
    if _host_may_read(frame.device):  # only what lies under each window is touched
        parts = []
        for i, (level, (y0, y1, x0, x1)) in enumerate(
            zip(levels.int().tolist(), regions(windows, size, *frame.shape[:2]), strict=True)
        ):
            k = _REDUCTIONS[level]
            y0, x0 = max(y0 // k - 1, 0) * k, max(x0 // k - 1, 0) * k
            part = frame[y0 : max(y1, y0) + 2 * k, x0 : max(x1, x0) + 2 * k]
            parts.append(_cropped(part, (x0, y0), frame.shape, windows[i : i + 1], size, fill[i : i + 1], k))
        return torch.cat(parts)
    chosen = _cropped(frame, (0, 0), frame.shape, windows, size, fill, 1)
    for level, k in enumerate(_REDUCTIONS[1:], 1):
        reduced = _cropped(frame, (0, 0), frame.shape, windows, size, fill, k)
        chosen = torch.where((levels == level)[:, None, None, None], reduced, chosen)
    return chosen


def _host_may_read(device: torch.device) -> bool:
    """Whether a tensor's values can be decided on without waiting for a device."""
    return device.type == "cpu"


def _cropped(
    part: Tensor, corner: tuple[int, int], shape: torch.Size, windows: Tensor, size: int, fill: Tensor, k: int
) -> Tensor:
    """``crop`` from the ``part`` of a frame of ``shape`` that begins at ``corner``, reduced ``k`` times."""
    x, y = _places(windows, size, size)
    x, y = x / k, y / k
    # How much of each sample's bilinear weight lies inside the frame; the rest is the outside's colour.
    height, width = -(-shape[0] // k), -(-shape[1] // k)
    across = (x + 0.5).clamp(0, 1) * (width - x + 0.5).clamp(0, 1)
    down = (y + 0.5).clamp(0, 1) * (height - y + 0.5).clamp(0, 1)
    outside = (1 - across * down)[:, None] * fill[:, :, None, None]
    if not part.numel():
        return outside
    picture = part.permute(2, 0, 1)[None].to(windows.dtype, memory_format=torch.contiguous_format)
    if k > 1:
        picture = F.avg_pool2d(picture, k, ceil_mode=True, count_include_pad=False)
    picture = picture.expand(len(windows), -1, -1, -1)
    return _sample(picture, x - corner[0] // k, y - corner[1] // k) + outside


def regions(windows: Tensor, size: int, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """The part of the frame under each window, clipped: y0, y1, x0, x1 (empty: y1 <= y0 or x1 <= x0)."""
    corners = windows.new_tensor([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]])
    points = (windows @ corners.T).cpu()  # (N, 2, 4)
    low, high = points.amin(2).floor().int().tolist(), points.amax(2).ceil().int().tolist()
    return [
        (max(y0, 0), min(y1, height), max(x0, 0), min(x1, width)) for (x0, y0), (x1, y1) in zip(low, high, strict=True)
    ]


def paste(masks: Tensor, windows: Tensor, height: int, width: int) -> Tensor:
    """The inverse of ``crop``: ``masks`` ``(N, h, w)`` in their windows -> ``(N, height, width)``, 0 outside."""
    return _sample(masks[:, None], *_places(inverse(windows), height, width))[:, 0]


def cut(masks: Tensor, windows: Tensor, size: int) -> Tensor:
    """Masks ``(N, H, W)`` of the whole frame, each in its window, ``(N, size, size)``, 0 outside."""
    return _sample(masks[:, None], *_places(windows, size, size))[:, 0]


def resample(masks: Tensor, maps: Tensor) -> Tensor:
    """Masks seen from other windows: ``masks`` ``(N, S, S)``, ``maps`` ``(N, 2, 3)`` from the pixels of the new windows
    to those of the old -> ``(N, S, S)``, 0 outside."""
    return _sample(masks[:, None], *_places(maps, *masks.shape[1:]))[:, 0]


def crop_array(
    picture: npt.NDArray[np.uint8],
    window: FloatArray,
    size: int,
    *,
    border: int = cv2.BORDER_CONSTANT,
    fill: Any = 0,
) -> npt.NDArray[np.uint8]:
    """``crop`` of one array ``(H, W)`` or ``(H, W, 3)`` by OpenCV, for data loading (equal to 1 grey level)."""
    matrix = window.copy()
    level = int(np.log2(max(np.sqrt(abs(np.linalg.det(window[:, :2]))), 1.0)))
    if level:
        k, (height, width) = _REDUCTIONS[min(level, len(_REDUCTIONS) - 1)], picture.shape[:2]
        smaller = (-(-width // k), -(-height // k))
        picture = cv2.resize(picture, smaller, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        matrix *= np.array([[smaller[0] / width], [smaller[1] / height]])
    # OpenCV counts from pixel centres: move the edges' coordinates by half a pixel on both sides.
    matrix[:, 2] += 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5
    warped = cv2.warpAffine(
        picture,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
        borderValue=fill,
    )
    return warped.astype(np.uint8, copy=False)
