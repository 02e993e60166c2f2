"""Contact sheets: every row and tile is where it should be, drawn as it says, and files are whole or absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from vossegment.data.sequence import ArraySequence
from vossegment.errors import OutputError
from vossegment.tracking.types import Image, LabelMap
from vossegment.training.chains import ChainDataset, ChainSettings
from vossegment.training.clips import ClipMaker, Mix
from vossegment.training.library import Library
from vossegment.training.pairs import PairDataset, PairSettings
from vossegment.training.sheets import (
    GIVEN,
    OUTLINE,
    TRUTH,
    Tile,
    grid,
    outlined,
    prediction_strip,
    sample_sheet,
    strips,
    tinted,
    write_sheet,
)
from vossegment.writers.palette import vivid

GAP, BAR, SIZE = 4, 16, 64
CHAINS = ChainSettings(size=SIZE, lengths=((0, 1), (1, 3)), start=0, lost=0, absent=0)


def chains(library: Library, settings: ChainSettings = CHAINS) -> ChainDataset:
    """Two chains of one target, then chains of three."""
    return ChainDataset(ClipMaker(library, Mix()), settings, chains=8, batch=2, seed=0)


def tile(sheet: Image, row: int, column: int, size: int = SIZE) -> Image:
    """The picture of a tile where all have one size."""
    top, left = GAP + BAR + row * (size + BAR + GAP), GAP + column * (size + GAP)
    return sheet[top : top + size, left : left + size]


def bar(sheet: Image, row: int, column: int) -> Image:
    top, left = GAP + row * (SIZE + BAR + GAP), GAP + column * (SIZE + GAP)
    return sheet[top : top + BAR, left : left + SIZE]


def shows(picture: Image, colour: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(colour)).all(-1).any())


def test_grid_of_nothing() -> None:
    """No rows, or rows of no tiles: a sheet all the same, of nothing but ground."""
    nothing: list[list[list[Tile]]] = [[], [[]]]
    for rows in nothing:
        sheet = grid(rows)
        assert sheet.ndim == 3
        assert np.ptp(sheet) == 0


def test_grid_places_tiles_of_all_sizes() -> None:
    """A column is as wide as its widest tile, a row as high as its highest; a shorter row ends early."""
    small, wide, high = (np.full((h, w, 3), v, np.uint8) for h, w, v in ((5, 6, 80), (7, 40, 120), (30, 9, 200)))
    sheet = grid([[Tile(small, ""), Tile(high, "")], [Tile(wide, "")]])
    assert sheet.shape == (GAP + (BAR + 30 + GAP) + (BAR + 7 + GAP), GAP + (40 + GAP) + (9 + GAP), 3)
    assert (sheet[20:25, 4:10] == 80).all()
    assert (sheet[20:50, 48:57] == 200).all()
    assert (sheet[70:77, 4:44] == 120).all()
    assert (sheet == 80).sum() + (sheet == 120).sum() + (sheet == 200).sum() == small.size + wide.size + high.size


def test_captions_are_written_and_stay_in_their_column() -> None:
    picture = np.zeros((5, 30, 3), np.uint8)
    sheet = grid([[Tile(picture, "a caption longer than the picture is wide"), Tile(picture, "")]])
    assert sheet[GAP : GAP + BAR, GAP : GAP + 30].max() > 150
    assert sheet[GAP : GAP + BAR, GAP + 30 :].max() < 50


def test_tint_goes_as_far_as_the_mask() -> None:
    """Nothing where the mask is empty, more the stronger it is; the picture itself stays as it was."""
    image: Image = np.full((1, 3, 3), 100, np.uint8)
    drawn = tinted(image, np.array([[0, 128, 255]], np.uint8), (200, 0, 100))
    assert (image == 100).all()
    assert drawn[0, 0].tolist() == [100, 100, 100]
    assert drawn[0, 2].tolist() == [145, 55, 100]
    assert 100 < drawn[0, 1, 0] < 145


def test_outline_is_the_edge_alone() -> None:
    image: Image = np.zeros((9, 9, 3), np.uint8)
    mask: LabelMap = np.zeros((9, 9), np.uint8)
    mask[2:7, 2:7] = 255
    drawn = outlined(image, mask, (255, 255, 255))
    assert not image.any()
    assert (drawn > 0).all(-1).sum() == 16
    assert not drawn[3:6, 3:6].any()
    assert not outlined(image, np.zeros_like(mask), (255, 255, 255)).any()


def test_a_row_for_each_chain(library: Library) -> None:
    """Reference, guidance and targets side by side; a chain with fewer targets leaves the rest of its row empty."""
    data = chains(library)
    sheet = sample_sheet(data, [0, 2])
    assert sheet.shape == (GAP + 2 * (SIZE + BAR + GAP), GAP + 5 * (SIZE + GAP), 3)
    assert np.ptp(tile(sheet, 0, 3)) == 0
    for row, index in enumerate((0, 2)):
        item = data[index]
        reference, guidance = item["reference_mask"].numpy(), item["guidance"].numpy()
        assert np.array_equal(tile(sheet, row, 0), tinted(item["reference"].numpy(), reference, GIVEN))
        assert np.array_equal(tile(sheet, row, 1), tinted(item["targets"][0].numpy(), guidance, GIVEN))
        for k, (target, mask) in enumerate(zip(item["targets"].numpy(), item["masks"].numpy(), strict=True)):
            assert np.array_equal(tile(sheet, row, 2 + k), outlined(tinted(target, mask, TRUTH), mask, TRUTH))


def test_captions_tell_what_happens(library: Library) -> None:
    """A start, a lost and an absent target are named as such, each in another way."""
    kinds = [CHAINS, replace(CHAINS, start=1.0), replace(CHAINS, lost=1.0), replace(CHAINS, absent=1.0)]
    titles = [bar(sample_sheet(chains(library, settings), [0]), 0, 0) for settings in kinds]
    assert len({title.tobytes() for title in titles}) == 4
    absent = sample_sheet(chains(library, kinds[3]), [0])
    assert not shows(tile(absent, 0, 2), TRUTH)
    lost, item = sample_sheet(chains(library, kinds[2]), [0]), chains(library, kinds[2])[0]
    assert np.array_equal(tile(lost, 0, 1), item["targets"][0].numpy())


def test_a_row_for_each_pair(library: Library) -> None:
    """Template, then the search crop with box and mask; nothing is drawn where the target is absent."""
    settings = PairSettings(negative_pairs=0.5)
    data = PairDataset(ClipMaker(library, Mix()), settings, pairs=8, seed=0)
    sheet = sample_sheet(data, range(8))
    assert sheet.shape == (GAP + 8 * (255 + BAR + GAP), GAP + 127 + GAP + 255 + GAP, 3)
    present = []
    for row in range(8):
        top, item = GAP + BAR + row * (255 + BAR + GAP), data[row]
        assert np.array_equal(sheet[top : top + 127, GAP : GAP + 127], item["template"].numpy())
        search = sheet[top : top + 255, 2 * GAP + 127 : -GAP]
        present.append(bool((item["signs"] == 1).any()))
        changed = (search != item["search"].numpy()).any(-1)
        assert changed.any() == present[-1]
        assert shows(search, TRUTH) or not present[-1]
    assert any(present)
    assert not all(present)


def test_the_mask_of_a_pair_lies_in_its_box(library: Library) -> None:
    """What is drawn of box and mask together ends at the box."""
    data = PairDataset(ClipMaker(library, Mix()), PairSettings(), pairs=4, seed=1)
    for index in range(4):
        sheet, item = sample_sheet(data, [index]), data[index]
        search = sheet[GAP + BAR : GAP + BAR + 255, 2 * GAP + 127 : -GAP]
        ys, xs = np.nonzero((search != item["search"].numpy()).any(-1))
        ends = search[[ys.min(), ys.max()]][:, xs.min() : xs.max() + 1]
        assert ((ends == 255).all(-1).mean(1) > 0.9).all()


def sequence(frames: int = 11) -> ArraySequence:
    """Two squares on grey, 90x160; the second goes to the right."""
    images, maps = [], []
    for index in range(frames):
        labels: LabelMap = np.zeros((90, 160), np.uint8)
        labels[20:50, 20:50] = 1
        labels[40:70, 60 + 5 * index : 90 + 5 * index] = 2
        images.append(np.full((90, 160, 3), 100 + index, np.uint8))
        maps.append(labels)
    return ArraySequence("squares", tuple(images), tuple(maps), {1: 0, 2: 0})


def known(clip: ArraySequence) -> list[LabelMap]:
    return [labels for labels in clip.label_maps if labels is not None]


def test_strip_shows_evenly_spaced_frames() -> None:
    """From the first to the last, twice as large here; what the prediction says is tinted, the truth outlined."""
    clip = sequence()
    nothing = [np.zeros((90, 160), np.uint8)] * len(clip)
    strip = prediction_strip(clip, nothing)
    assert strip.shape == (GAP + BAR + 180 + GAP, GAP + 6 * (320 + GAP), 3)
    greys = [int(strip[GAP + BAR, GAP + column * (320 + GAP), 0]) for column in range(6)]
    assert greys == [100, 102, 104, 106, 108, 110]
    right = prediction_strip(clip, known(clip))
    first = right[GAP + BAR : GAP + BAR + 180, GAP : GAP + 320]
    assert (
        first[70, 70].tolist() == tinted(clip.image(0)[:1, :1], np.full((1, 1), 255, np.uint8), vivid(1))[0, 0].tolist()
    )
    assert (
        first[110, 150].tolist()
        == tinted(clip.image(0)[:1, :1], np.full((1, 1), 255, np.uint8), vivid(2))[0, 0].tolist()
    )
    assert first[60:80, 40].tolist() == [list(OUTLINE)] * 20
    assert not np.array_equal(strip[GAP : GAP + BAR], right[GAP : GAP + BAR])  # J is written


def test_strip_of_few_frames_and_of_unknown_truth() -> None:
    """A frame is not shown twice; without a truth there is no outline."""
    clip = sequence(2)
    assert prediction_strip(clip, known(clip)).shape[1] == GAP + 2 * (320 + GAP)
    blind = ArraySequence("blind", clip.images, (None, None), {1: 0})
    strip = prediction_strip(blind, known(clip))
    assert not shows(strip, OUTLINE)


def test_strips_stand_under_each_other() -> None:
    clip = sequence()
    one = prediction_strip(clip, known(clip), count=3)
    both = strips([(clip, known(clip)), (clip, known(clip))], count=3)
    height = BAR + 180 + GAP
    assert np.array_equal(both[: GAP + height], one)
    assert np.array_equal(both[height:], one)


def test_strip_wants_a_label_map_a_frame() -> None:
    with pytest.raises(ValueError, match="squares: 1 label maps for 11 frames"):
        prediction_strip(sequence(), known(sequence())[:1])


def test_sheets_are_written_whole(tmp_path: Path) -> None:
    """The file holds the picture, bit for bit, under a folder that need not be there; no part is left."""
    image: Image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    path = tmp_path / "sheets" / "step_100.png"
    write_sheet(path, image)
    with PillowImage.open(path) as picture:
        assert picture.format == "PNG"
        assert np.array_equal(np.array(picture), image)
    assert [p.name for p in path.parent.iterdir()] == ["step_100.png"]


def test_a_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_sheet(tmp_path / "file" / "sheet.png", np.zeros((2, 2, 3), np.uint8))
