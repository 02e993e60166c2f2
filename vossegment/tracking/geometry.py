"""Windows: crops cut from a frame and masks pasted back, each other's inverse.

A window is an affine map ``(2, 3)`` from window pixels to frame pixels. Coordinates are edges, half-pixel centres:
pixel 0 covers [0, 1) and its centre is 0.5, in the window as in the frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

FloatArray = npt.NDArray[np.float64]
_Number = TypeVar("_Number", np.uint8, np.float32)


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


def box_overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU of boxes ``(N, 4)`` x0 y0 x1 y1 with those at the same place of ``others``, ``(N,)``."""
    low, high = torch.maximum(boxes[:, :2], others[:, :2]), torch.minimum(boxes[:, 2:], others[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared)


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
    a, b, c, d = windows[:, :, :2].flatten(1).unbind(1)
    linear = torch.stack([d, -b, -c, a], 1).view(-1, 2, 2) / (a * d - b * c)[:, None, None]
    return torch.cat([linear, -linear @ windows[:, :, 2:]], 2)


def between(windows: Tensor, others: Tensor) -> Tensor:
    """The maps from pixels of ``windows`` to pixels of ``others``, ``(N, 2, 3)`` each."""
    back = inverse(others)
    return torch.cat([back[:, :, :2] @ windows[:, :, :2], back[:, :, :2] @ windows[:, :, 2:] + back[:, :, 2:]], 2)


def mask_boxes(inside: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
    """Tightest boxes round masks ``(N, S, S)`` bool in upright windows: ``(N, 4)`` x0 y0 x1 y1 in frame pixels, and
    ``(N,)`` bool whether there is a pixel at all (where not, the box is the window)."""
    if host_may_read(inside.device):
        found = [cv2.boundingRect(mask.view(np.uint8)) for mask in inside.numpy()]
        seen = torch.tensor([width > 0 for _, _, width, _ in found], dtype=torch.bool)
        whole = 0, 0, inside.shape[2], inside.shape[1]
        edges = [(x, y, x + w, y + h) if w else whole for x, y, w, h in found]
        corners = torch.tensor(edges, dtype=windows.dtype).view(-1, 2, 2)
    else:
        corners, seen = _extents(inside)
    return (corners * scales(windows)[:, None] + windows[:, None, :, 2]).flatten(1), seen


def scales(windows: Tensor) -> Tensor:
    """Frame pixels along a pixel of each upright window, in x and y, ``(N, 2)``."""
    return windows.diagonal(dim1=1, dim2=2)


def _extents(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Upper left and lower right corners of masks ``(N, S, S)``, ``(N, 2, 2)``, and whether there is a pixel, on a
    device."""
    ends = []
    for axis in (1, 2):  # over rows: columns' extent; over columns: rows' extent
        line = inside.any(axis).to(torch.float32)
        ends.append((line.argmax(1), line.shape[1] - line.flip(1).argmax(1)))
    (x0, x1), (y0, y1) = ends
    return torch.stack([x0, y0, x1, y1], 1).view(-1, 2, 2), inside.flatten(1).any(1)


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
    if host_may_read(frame.device):  # OpenCV is quicker, and touches only what lies under each window
        pixels, maps = frame.numpy(), windows.double().numpy()
        cut_out = [crop_array(pixels, m, size, fill=c) for m, c in zip(maps, fill.tolist(), strict=True)]
        together = np.stack(cut_out) if len(cut_out) > 1 else cut_out[0][None]  # one needs no copy
        return torch.from_numpy(together).permute(0, 3, 1, 2).to(windows.dtype)
    levels = (windows[:, 0, 0] * windows[:, 1, 1] - windows[:, 0, 1] * windows[:, 1, 0]).abs().sqrt().log2().floor()
    levels = levels.clamp(0, len(_REDUCTIONS) - 1)
    chosen = _cropped(frame, windows, size, fill, 1)
    for level, k in enumerate(_REDUCTIONS[1:], 1):
        reduced = _cropped(frame, windows, size, fill, k)
        chosen = torch.where((levels == level)[:, None, None, None], reduced, chosen)
    return chosen


def mean_colour(frame: Tensor) -> Tensor:
    """Mean of ``frame`` ``(H, W, 3)`` uint8 over its pixels, ``(3,)`` float32, exact in its whole part."""
    count = frame.shape[0] * frame.shape[1]
    total = frame.sum((0, 1))
    whole = (total // count).to(torch.float32)
    # A fraction just under 1 would else be rounded up to the next whole number.
    return torch.minimum(whole + (total % count) / count, torch.nextafter(whole + 1, whole))


def host_may_read(device: torch.device) -> bool:
    """Whether a tensor's values can be decided on without waiting for a device."""
    return device.type == "cpu"


def _cropped(frame: Tensor, windows: Tensor, size: int, fill: Tensor, k: int) -> Tensor:
    """``crop`` from the frame reduced ``k`` times."""
    x, y = _places(windows, size, size)
    x, y = x / k, y / k
    # How much of each sample's bilinear weight lies inside the frame; the rest is the outside's colour.
    height, width = -(-frame.shape[0] // k), -(-frame.shape[1] // k)
    across = (x + 0.5).clamp(0, 1) * (width - x + 0.5).clamp(0, 1)
    down = (y + 0.5).clamp(0, 1) * (height - y + 0.5).clamp(0, 1)
    picture = frame.permute(2, 0, 1)[None].to(windows.dtype, memory_format=torch.contiguous_format)
    if k > 1:
        beyond = (0, width * k - frame.shape[1], 0, height * k - frame.shape[0])
        picture = F.avg_pool2d(F.pad(picture, beyond, mode="replicate"), k)
    sampled = _sample(picture.expand(len(windows), -1, -1, -1), x, y)
    return sampled + (1 - across * down)[:, None] * fill[:, :, None, None]


def region(window: FloatArray, box: Sequence[float], height: int, width: int) -> tuple[int, int, int, int]:
    """The part of the frame under ``box`` x0 y0 x1 y1 of the window's pixels, clipped: y0, y1, x0, x1 (empty:
    y1 <= y0 or x1 <= x0)."""
    corners = [(x, y) for x in box[::2] for y in box[1::2]]
    x, y = ([a * right + b * down + start for right, down in corners] for a, b, start in window.tolist())
    rows = max(math.floor(min(y)), 0), min(math.ceil(max(y)), height)
    return *rows, max(math.floor(min(x)), 0), min(math.ceil(max(x)), width)


def paste(masks: Tensor, windows: Tensor, height: int, width: int) -> Tensor:
    """The inverse of ``crop``: ``masks`` ``(N, h, w)`` in their windows -> ``(N, height, width)``, 0 outside."""
    return _sample(masks[:, None], *_places(inverse(windows), height, width))[:, 0]


def cut(masks: Tensor, windows: Tensor, size: int) -> Tensor:
    """Masks ``(N, H, W)`` of the whole frame, each in its window, ``(N, size, size)``, 0 outside."""
    if host_may_read(masks.device) and not masks.requires_grad and len(masks):  # OpenCV takes a third of the time
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = np.zeros((len(masks), size, size), np.float32)
        for mask, window, place in zip(masks.float().numpy(), windows.double().numpy(), seen, strict=True):
            if _under(mask, window, size, 1)[0].size:  # else they do not touch
                cv2.warpAffine(mask, _centred(window), (size, size), dst=place, flags=flags)
        return torch.from_numpy(seen).to(masks.dtype)
    return _sample(masks[:, None], *_places(windows, size, size))[:, 0]


def resample(masks: Tensor, maps: Tensor) -> Tensor:
    """Masks seen from other windows: ``masks`` ``(N, S, S)``, ``maps`` ``(N, 2, 3)`` from the pixels of the new windows
    to those of the old -> ``(N, S, S)``, 0 outside."""
    return cut(masks, maps, masks.shape[1])


def crop_array(
    picture: npt.NDArray[np.uint8],
    window: FloatArray,
    size: int,
    *,
    border: int = cv2.BORDER_CONSTANT,
    fill: Any = 0,
) -> npt.NDArray[np.uint8]:
    """``crop`` of one array ``(H, W)`` or ``(H, W, 3)`` by OpenCV (equal to 1 grey level)."""
    (a, b), (c, d) = window[:, :2].tolist()
    level = int(math.log2(max(math.sqrt(abs(a * d - b * c)), 1.0)))
    k = _REDUCTIONS[min(level, len(_REDUCTIONS) - 1)]
    matrix = window.copy()
    if border == cv2.BORDER_CONSTANT:  # the rest of the picture is not needed
        picture, corner = _under(picture, window, size, k)
        matrix[:, 2] -= corner
    if k > 1 and picture.size:
        down, across = -picture.shape[0] % k, -picture.shape[1] % k
        whole = cv2.copyMakeBorder(picture, 0, down, 0, across, cv2.BORDER_REPLICATE) if down or across else picture
        smaller = (whole.shape[1] // k, whole.shape[0] // k)
        picture = cv2.resize(whole, smaller, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        matrix /= k
    if not picture.size:
        outside: npt.NDArray[np.uint8] = np.empty((size, size, *picture.shape[2:]), np.uint8)
        outside[...] = np.round(fill)
        return outside
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(picture, _centred(matrix), (size, size), flags=flags, borderMode=border, borderValue=fill)
    return warped.astype(np.uint8, copy=False)


def paste_array(
    mask: npt.NDArray[np.float32], window: FloatArray, place: tuple[int, int, int, int]
) -> npt.NDArray[np.float32]:
    """``paste`` of one mask ``(h, w)`` by OpenCV, into the ``place`` y0, y1, x0, x1 of the frame.

    Outside the window lies -1, and the rim is blended towards it, as in SiamMask's program.
    """
    y0, y1, x0, x1 = place
    moved = window.copy()
    moved[:, 2] -= x0, y0
    size = x1 - x0, y1 - y0
    pasted = cv2.warpAffine(mask, _centred(moved), size, flags=cv2.INTER_LINEAR, borderValue=-1)
    return pasted.astype(np.float32, copy=False)


def _centred(matrix: FloatArray) -> FloatArray:
    """A map of edges' coordinates as OpenCV wants it, which counts from pixel centres."""
    moved = matrix.copy()
    moved[:, 2] += 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5
    return moved


def _under(
    picture: npt.NDArray[_Number], window: FloatArray, size: int, k: int
) -> tuple[npt.NDArray[_Number], npt.NDArray[np.int64]]:
    """The part of a picture that a window samples, whole groups of ``k`` pixels, and its corner x, y."""
    columns, rows = (
        _sampled(float(a) * size, float(b) * size, float(start), length, k)
        for (a, b, start), length in zip(window, picture.shape[1::-1], strict=True)
    )
    return picture[rows, columns], np.array([columns.start, rows.start])


def _sampled(across: float, down: float, start: float, length: int, k: int) -> slice:
    """Along one axis of ``length`` pixels, what lies between ``start`` and both ways from it, and a group more."""
    low, high = start + min(across, 0.0) + min(down, 0.0), start + max(across, 0.0) + max(down, 0.0)
    first = min(max((math.floor(low) // k - 1) * k, 0), length)
    return slice(first, min(max((math.ceil(high) // k + 2) * k, first), length))
