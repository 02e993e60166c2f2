"""Contact sheets for people who train: what a network is shown, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as ListOf
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image as PillowImage
from torch import Tensor
from torch.utils.data import Dataset

from vossegment.data.sequence import Sequence
from vossegment.evaluation.measures import region_similarity
from vossegment.tracking.anchors import MASK_FIRST, SEARCH, STRIDE, anchor_grid, decode
from vossegment.tracking.types import Image, LabelMap
from vossegment.training.library import Mask
from vossegment.whole_files import make_folder, written_whole
from vossegment.writers.draw import TINT
from vossegment.writers.palette import Color, vivid

TRUTH, GIVEN = vivid(1), vivid(4)
OUTLINE: Color = (255, 255, 255)
"""Of the truth on a strip: no object's own colour."""

_GROUND, _INK, _GAP, _BAR = 24, (225, 225, 225), 4, 16
_STRIP_HEIGHT = 180


class Tile(NamedTuple):
    """A picture ``(H, W, 3)`` with a line of text over it."""

    image: Image
    caption: str


def sample_sheet(dataset: Dataset[dict[str, Tensor]], indices: Iterable[int]) -> Image:
    """A row for each of a data set's items, chains or pairs.

    A chain: the reference with its mask, the first target with its guidance, each target with its true mask. A pair:
    the template, then the search crop with the target's box and what its mask windows show of it.
    """
    rows = []
    for index in indices:
        item = dataset[index]
        rows.append(_pair_row(index, item) if "template" in item else _chain_row(index, item))
    return grid(rows)


def strips(predictions: Iterable[tuple[Sequence, ListOf[LabelMap]]], count: int = 6) -> Image:
    """`prediction_strip` of several sequences, one under the other."""
    return grid([_strip(sequence, labels, count) for sequence, labels in predictions])


def prediction_strip(sequence: Sequence, labels: ListOf[LabelMap], count: int = 6) -> Image:
    """``count`` evenly spaced frames with the predicted masks tinted and the true ones outlined in white.

    ``labels`` has a map for every frame of the sequence. Captions give the frame and each object's J there. Raises
    ValueError where the lengths differ.
    """
    return strips([(sequence, labels)], count)


def write_sheet(path: Path, image: Image) -> None:
    """Writes ``image`` as a PNG, by rename. Raises OutputError if it cannot."""
    make_folder(path.parent)
    with written_whole(path) as part:
        PillowImage.fromarray(image).save(part, format="PNG")


def grid(rows: ListOf[ListOf[Tile]]) -> Image:
    """All tiles on a dark ground: a column is as wide as its widest, a row as high as its highest. Rows with fewer
    tiles end early."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max(row[c].image.shape[1] for row in rows if c < len(row)) for c in range(columns)]
    heights = [max((tile.image.shape[0] for tile in row), default=0) for row in rows]
    shape = (sum(h + _BAR + _GAP for h in heights) + _GAP, sum(w + _GAP for w in widths) + _GAP, 3)
    sheet: Image = np.full(shape, _GROUND, np.uint8)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        left = _GAP
        for tile, width in zip(row, widths, strict=False):
            h, w = tile.image.shape[:2]
            sheet[top : top + _BAR, left : left + width] = _caption(tile.caption, width)
            sheet[top + _BAR : top + _BAR + h, left : left + w] = tile.image
            left += width + _GAP
        top += height + _BAR + _GAP
    return sheet


def tinted(image: Image, mask: Mask, colour: Color) -> Image:
    """A copy with ``colour`` laid over it as far as ``mask`` ``(H, W)`` 0..255 goes."""
    share = mask[..., None] * np.float32(TINT / 255)
    mixed: Image = (image * (1 - share) + np.array(colour, np.float32) * share + 0.5).astype(np.uint8)
    return mixed


def outlined(image: Image, mask: Mask, colour: Color) -> Image:
    """A copy with a thin line round the parts of ``mask`` over one half."""
    drawn = image.copy()
    contours, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, colour, 1)
    return drawn


def _caption(text: str, width: int) -> Image:
    bar: Image = np.full((_BAR, width, 3), _GROUND, np.uint8)
    cv2.putText(bar, text, (1, _BAR - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.38, _INK, 1, cv2.LINE_AA)
    return bar


def _chain_row(index: int, item: dict[str, Tensor]) -> list[Tile]:
    """Reference, guidance, targets."""
    targets, masks = item["targets"].numpy(), item["masks"].numpy()
    reference, guidance = item["reference_mask"].numpy(), item["guidance"].numpy()
    signs = {"start": bool(item["start"]), "lost": not guidance.any(), "absent": not masks[0].any()}
    title = " ".join([str(index), *(word for word, holds in signs.items() if holds)])
    row = [
        Tile(tinted(item["reference"].numpy(), reference, GIVEN), title),
        Tile(tinted(targets[0], guidance, GIVEN), "guidance" if guidance.any() else "no guidance"),
    ]
    for number, (target, mask) in enumerate(zip(targets, masks, strict=True), 1):
        shown = outlined(tinted(target, mask, TRUTH), mask, TRUTH)
        row.append(Tile(shown, f"target {number}" if mask.any() else f"target {number}: empty"))
    return row


def _pair_row(index: int, item: dict[str, Tensor]) -> list[Tile]:
    """Template, search crop."""
    search, mask = item["search"].numpy(), _joined_windows(item)
    drawn = outlined(tinted(search, mask, TRUTH), mask, TRUTH)
    present = bool(item["deltas"].any())  # without a target there is nothing to encode
    if present:
        x, y, w, h = decode(item["deltas"], anchor_grid(item["labels"].shape[-1], len(search)))[:, 0, 0, 0].tolist()
        corners = (round(x - w / 2), round(y - h / 2)), (round(x + w / 2) - 1, round(y + h / 2) - 1)
        cv2.rectangle(drawn, *corners, OUTLINE, 1)
    return [Tile(item["template"].numpy(), str(index)), Tile(drawn, "search" if present else "search: absent")]


def _joined_windows(item: dict[str, Tensor]) -> Mask:
    """The search crop's mask as far as the mask windows of its positive cells show it."""
    size, windows = item["search"].shape[0], item["masks"].numpy()
    side = windows.shape[-1]
    padding = -MASK_FIRST if size == SEARCH else 0
    whole = np.zeros((size + 2 * padding, size + 2 * padding), np.uint8)
    for (r, c), sign, window in zip(item["cells"].tolist(), item["signs"].tolist(), windows, strict=True):
        if sign == 1:
            whole[r * STRIDE : r * STRIDE + side, c * STRIDE : c * STRIDE + side][window == 1] = 255
    return whole[padding : padding + size, padding : padding + size]


def _strip(sequence: Sequence, labels: ListOf[LabelMap], count: int) -> list[Tile]:
    if len(labels) != len(sequence):
        raise ValueError(f"{sequence.name}: {len(labels)} label maps for {len(sequence)} frames")
    chosen = np.unique(np.linspace(0, len(sequence) - 1, count).round().astype(int)).tolist()
    tiles = [_answer(sequence, index, labels[index]) for index in chosen]
    return [Tile(tiles[0].image, f"{sequence.name} {tiles[0].caption}"), *tiles[1:]]


def _answer(sequence: Sequence, index: int, labels: LabelMap) -> Tile:
    """One frame of a strip."""
    truth, image = sequence.labels(index), sequence.image(index)
    size = (round(_STRIP_HEIGHT * image.shape[1] / image.shape[0]), _STRIP_HEIGHT)
    drawn, caption = _resized(image, size), str(index)
    for number in sequence.objects:
        drawn = tinted(drawn, _resized(_mask(labels, number), size), vivid(number))
    if truth is None:
        return Tile(drawn, caption)
    for number in sequence.objects:
        drawn = outlined(drawn, _resized(_mask(truth, number), size), OUTLINE)
        caption += f"  J {100 * region_similarity(truth == number, labels == number):.1f}"
    return Tile(drawn, caption)


def _mask(labels: LabelMap, number: int) -> Mask:
    return np.equal(labels, number).view(np.uint8) * np.uint8(255)


def _resized(picture: Image, size: tuple[int, int]) -> Image:
    shrunk = size[1] < picture.shape[0]
    method = cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=method).astype(np.uint8, copy=False)
