from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from vossegment.errors import InputError
from vossegment.media.images import ImageSource, open_images
from vossegment.media.open import open_source


def save(path: Path, value: int = 0, size: tuple[int, int] = (8, 6), **options: object) -> Path:
    PillowImage.new("RGB", size, (value, 0, 0)).save(path, **options)  # type: ignore[arg-type]
    return path


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(InputError, match="no images in it; wanted bmp jpeg jpg png tif tiff webp"):
        open_source(tmp_path)


def test_a_single_image_is_one_frame(tmp_path: Path) -> None:
    source = open_source(save(tmp_path / "one.png", 9))
    assert isinstance(source, ImageSource)
    assert (source.name, source.width, source.height, source.frames, source.rotation) == ("one", 8, 6, 1, 0)
    (frame,) = source
    assert (frame.index, frame.time) == (0, 0.0)
    assert frame.image.flags.c_contiguous
    np.testing.assert_array_equal(frame.image[0, 0], (9, 0, 0))


def test_a_folder_goes_in_natural_order_at_25_a_second(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        save(tmp_path / f"f{number}.png", number)
    save(tmp_path / "._f1.png", 99)
    source = open_source(tmp_path)
    assert source.rate == 25
    assert source.duration == pytest.approx(3 / 25)
    frames = list(source)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 9, 10]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.04, 0.08])
    assert len(list(source)) == 3


def test_a_glob_takes_what_matches(tmp_path: Path) -> None:
    for name in ("a1.png", "a2.png", "b1.png"):
        save(tmp_path / name)
    source = open_source(str(tmp_path / "a*.png"))
    assert source.frames == 2
    assert source.name == tmp_path.name
    with pytest.raises(InputError, match="no such file; nothing matches the pattern"):
        open_source(str(tmp_path / "c*.png"))


def test_a_name_with_pattern_characters_is_taken_as_it_stands(tmp_path: Path) -> None:
    assert open_source(str(save(tmp_path / "a[1].png"))).frames == 1


def test_sizes_must_agree(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    save(tmp_path / "2.png", size=(8, 7))
    with pytest.raises(InputError, match=r"2\.png: 8x7, but 1\.png is 8x6; all images of a source must have one"):
        open_images(tmp_path)


def test_a_picture_on_its_side_is_found_while_iterating(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    save(tmp_path / "2.png", size=(6, 8))
    with pytest.raises(InputError, match=r"2\.png: 6x8"):
        list(open_images(tmp_path))


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"2\.png: not a readable image; replace it or take it out"):
        open_source(tmp_path)
    with pytest.raises(InputError, match=r"2\.png: not a readable image"):
        open_source(tmp_path / "2.png")


def test_an_image_that_vanishes_is_named(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    save(tmp_path / "2.png")
    source = open_source(tmp_path)
    (tmp_path / "2.png").unlink()
    with pytest.raises(InputError, match=r"2\.png: not a readable image"):
        list(source)


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    source = open_source(save(tmp_path / "phone.jpg", exif=exif))
    assert (source.width, source.height) == (6, 8)
    assert next(iter(source)).image.shape == (8, 6, 3)


def test_closing_ends_an_iteration(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png")
    with open_source(tmp_path) as source:
        frames = iter(source)
        next(frames)
    assert list(frames) == []
