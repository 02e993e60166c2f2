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


def crop(frame: Tensor, windows: Tensor, size: int, fill: Tensor) -> Tensor:
    """Cuts N windows from one frame.

    ``frame`` ``(H, W, 3)`` uint8, ``windows`` ``(N, 2, 3)``, ``fill`` ``(N, 3)`` the colour outside the frame ->
    ``(N, 3, size, size)`` float, 0..255.
    """
    picture = frame.permute(2, 0, 1).to(windows.dtype, memory_format=torch.contiguous_format)
    height, width = picture.shape[1:]
    x, y = _places(windows, size, size)
    sampled = _sample(picture[None].expand(len(windows), -1, -1, -1), x, y)
    # How much of each sample's bilinear weight lies inside the frame; the rest is the outside's colour.
    across = (x + 0.5).clamp(0, 1) * (width - x + 0.5).clamp(0, 1)
    down = (y + 0.5).clamp(0, 1) * (height - y + 0.5).clamp(0, 1)
    return sampled + (1 - across * down)[:, None] * fill[:, :, None, None]


def paste(masks: Tensor, windows: Tensor, height: int, width: int) -> Tensor:
    """The inverse of ``crop``: ``masks`` ``(N, h, w)`` in their windows -> ``(N, height, width)``, 0 outside."""
    return _sample(masks[:, None], *_places(inverse(windows), height, width))[:, 0]


def crop_array(
    picture: npt.NDArray[np.uint8],
    window: FloatArray,
    size: int,
    *,
    border: int = cv2.BORDER_CONSTANT,
    fill: Any = 0,
) -> npt.NDArray[np.uint8]:
    """``crop`` of one array ``(H, W)`` or ``(H, W, 3)`` by OpenCV, for data loading (equal to 1 grey level)."""
    # OpenCV counts from pixel centres: move the edges' coordinates by half a pixel on both sides.
    matrix = window.copy()
    matrix[:, 2] += 0.5 * (window[:, 0] + window[:, 1]) - 0.5
    warped = cv2.warpAffine(
        picture,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
        borderValue=fill,
    )
    return warped.astype(np.uint8, copy=False)
