"""Prompts as they are typed, and files of them: what is taken, what is refused and how it is said."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from vossegment.cli import prompts
from vossegment.cli.prompts import Reader, frame_of, parse_box, read_mask, split_start, to_xywh
from vossegment.errors import InputError
from vossegment.tracking.prompts import BoxPrompt, MaskPrompt
from vossegment.writers.masks import write_labels

WIDTH, HEIGHT = 60, 40


def test_boxes_as_typed() -> None:
    """Ids, times and formats."""
    assert parse_box("1,2,3,4") == (None, [1, 2, 3, 4], "")
    assert parse_box(" 3 = 1.5,2,3,4 @ 1.5s") == (3, [1.5, 2, 3, 4], "1.5s")
    assert to_xywh([1, 2, 4, 6], "xyxy", (1, 1)) == (1, 2, 3, 4)
    assert to_xywh([5, 5, 4, 2], "cxcywh", (1, 1)) == (3, 4, 4, 2)
    assert to_xywh([0.5, 0.5, 0.1, 0.1], "xywh", (200, 100)) == (100, 50, 20, 10)
    with pytest.raises(InputError, match="four numbers"):
        parse_box("1,2,3,4@5@6")


def test_starts_as_typed() -> None:
    """A frame number, or seconds by the rate."""
    from fractions import Fraction

    assert frame_of("45", None) == 45
    assert frame_of("1.5s", Fraction(30000, 1001)) == 45
    with pytest.raises(InputError, match="no frame rate"):
        frame_of("1s", None)


def test_where_a_mask_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the last @, unless a file has the whole name."""
    monkeypatch.chdir(tmp_path)
    assert split_start("m.png") == ("m.png", "")
    assert split_start("m.png@45") == ("m.png", "45")
    assert split_start("a@b/m.png@1.5s") == ("a@b/m.png", "1.5s")
    assert split_start("@5") == ("@5", "")
    (tmp_path / "m.png@45").touch()
    assert split_start("m.png@45") == ("m.png@45", "")


def labels(*ids: int) -> np.ndarray:
    """A column of 5 pixels each."""
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    for i, number in enumerate(ids):
        found[8:20, 5 * i : 5 * i + 5] = number
    return found


def picture(mode: str, *ids: int) -> PillowImage.Image:
    """``labels`` as a picture of a mode."""
    grey = PillowImage.fromarray(labels(*ids))
    return PillowImage.fromarray(labels(*ids).astype(np.uint16)) if mode == "I;16" else grey.convert(mode)


@pytest.mark.parametrize(
    ("mode", "ids"),
    [("L", (255,)), ("1", (255,)), ("RGB", (255,)), ("RGBA", (255,)), ("LA", (255,)), ("L", (3, 1)), ("RGB", (2,))],
)
def test_grey_masks(mode: str, ids: tuple[int, ...], tmp_path: Path) -> None:
    """Black and white, or an id a shade, whatever the pixels are made of."""
    picture(mode, *ids).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", WIDTH, HEIGHT, "mask"), labels(*ids))


def test_an_indexed_mask(tmp_path: Path) -> None:
    """Its numbers count, not its colours."""
    write_labels(tmp_path / "m.png", labels(1, 255, 7))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", WIDTH, HEIGHT, "mask"), labels(1, 255, 7))


def _png(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels and holds none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _half(path: Path) -> None:
    picture("L", 255).save(path)
    path.write_bytes(path.read_bytes()[:-30])


def _coloured(path: Path) -> None:
    array = np.stack([labels(255), labels(255), labels(0)], 2)
    PillowImage.fromarray(array).save(path)


def _clear(path: Path) -> None:
    PillowImage.fromarray(np.stack([labels(255)] * 4, 2)).save(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: picture("L").save(path), "empty; mark at least one pixel"),
        (lambda path: picture("L", 1).crop((0, 0, 59, 40)).save(path), "59x40, but the frame is 60x40"),
        (lambda path: path.write_bytes(_png(12_000, 12_000)), "12000x12000, but the frame is 60x40"),
        (lambda path: path.write_bytes(_png(2**31 - 1, 2**31 - 1)), "not a readable PNG"),
        (lambda path: path.write_bytes(_png(WIDTH, HEIGHT)), "not a readable PNG"),
        (_half, "not a readable PNG"),
        (lambda path: picture("L", 1).save(path, "BMP"), "not a PNG"),
        (lambda path: path.write_text("mask"), "not a PNG"),
        (lambda path: path.write_bytes(b""), "not a PNG"),
        (_coloured, "colours or transparency"),
        (_clear, "colours or transparency"),
        (lambda path: picture("I;16", 1).save(path), "16 bits a pixel"),
        (lambda path: picture("L", 100, 200, 255).save(path), "2 shades between black and white"),
        (lambda path: path.mkdir(), "not a file"),
        (lambda path: None, "no such file"),
    ],
)
def test_masks_that_cannot_be_used(make: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    """One line that names the file."""
    make(tmp_path / "m.png")
    with pytest.raises(InputError, match=says) as caught:
        read_mask(tmp_path / "m.png", WIDTH, HEIGHT, "mask m.png")
    assert str(caught.value).startswith("mask m.png: ")
    assert "\n" not in str(caught.value)


def test_masks_and_lists_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are measured before they are read, and all masks together are bounded."""
    write_labels(tmp_path / "m.png", labels(1, 2, 3))
    (tmp_path / "p.json").write_text('[{"id": 1, "mask": "m.png"}, {"id": 2, "mask": "m.png"}]')
    monkeypatch.setattr(prompts, "_ALL_MASKS", WIDTH * HEIGHT)
    with pytest.raises(InputError, match="2 masks of 60x40 take more than"):
        reader().mask(str(tmp_path / "m.png"))
    with pytest.raises(InputError, match=r"entry 2: mask m\.png: 2 masks"):
        reader().prompt_file(tmp_path / "p.json")
    monkeypatch.setattr(prompts, "_MASK_BYTES", 10)
    monkeypatch.setattr(prompts, "_JSON_BYTES", 10)
    with pytest.raises(InputError, match="at most 0 MiB"):
        reader().mask(str(tmp_path / "m.png"))
    with pytest.raises(InputError, match="at most 0 MiB"):
        reader().prompt_file(tmp_path / "p.json")


def reader() -> Reader:
    return Reader(WIDTH, HEIGHT, None)


def test_numbers_run_on(tmp_path: Path) -> None:
    """In the order read; the unnamed take what no box, mask or entry names, whenever it comes."""
    write_labels(tmp_path / "two.png", labels(1, 4))
    write_labels(tmp_path / "white.png", labels(255))
    (tmp_path / "p.json").write_text('[{"id": 2, "frame": 3, "box": [1, 2, 3, 4]}]')
    asked = reader()
    asked.box("1,1,5,5", "xywh", False)
    asked.mask(f"{tmp_path}/two.png")
    asked.mask(f"{tmp_path}/white.png@7")
    asked.prompt_file(tmp_path / "p.json")
    found = asked.prompts
    assert [(p.id, p.frame, type(p)) for p in found] == [
        (3, 0, BoxPrompt),
        (1, 0, MaskPrompt),
        (4, 0, MaskPrompt),
        (5, 7, MaskPrompt),
        (2, 3, BoxPrompt),
    ]
    assert [path.name for path in asked.files] == ["two.png", "white.png", "p.json"]


def test_entries(tmp_path: Path) -> None:
    """A mask of one object is the one meant whatever its label, of several the one of that number."""
    write_labels(tmp_path / "two.png", labels(1, 4))
    write_labels(tmp_path / "one.png", labels(7))
    entries: list[Any] = [
        {"id": 1, "box": [1, 2, 3.5, 4]},
        {"id": 4, "frame": 2, "mask": "two.png"},
        {"id": 2, "frame": 2, "mask": "one.png"},
    ]
    (tmp_path / "p.json").write_text("\ufeff" + json.dumps(entries))
    asked = reader()
    asked.prompt_file(tmp_path / "p.json")
    box, of_two, of_one = asked.prompts
    assert box == BoxPrompt(1, (1, 2, 3.5, 4))
    assert [(p.id, p.frame, p.box) for p in (of_two, of_one)] == [(4, 2, (5, 8, 5, 12)), (2, 2, (0, 8, 5, 12))]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[" + "1" * 5000 + "]", "not valid JSON"),
        ('[{"id": NaN}]', "NaN is no number"),
        ("[]", "not a list of prompts"),
        ("{}", "not a list of prompts"),
        ("[1]", "entry 1: not an object"),
        ('[{"id": 1, "box": [1, 2, 3, 4]}, []]', "entry 2: not an object"),
        ("[{}]", "entry 1: no id"),
        ('[{"id": 1, "box": [1, 2, 3, 4]}, {"box": [1, 2, 3, 4]}]', "entry 2: no id"),
        ('[{"id": 1, "Box": [1, 2, 3, 4]}]', "entry 1: unknown key 'Box'; known: id, frame, box, mask"),
        ('[{"id": 1, "a\\nb": 2}]', r"entry 1: unknown key 'a\nb'"),
        ('[{"id": 1, "id": 2, "box": [1, 2, 3, 4]}]', "entry 1: a key stands twice"),
        ('[{"id": "1", "box": [1, 2, 3, 4]}]', "entry 1: id: not a whole number"),
        ('[{"id": true, "box": [1, 2, 3, 4]}]', "entry 1: id: not a whole number"),
        ('[{"id": 1, "frame": 1.5, "box": [1, 2, 3, 4]}]', "entry 1: frame: not a whole number"),
        ('[{"id": 1, "frame": null, "box": [1, 2, 3, 4]}]', "entry 1: frame: not a whole number"),
        ('[{"id": 1}]', "entry 1: give either a box or a mask"),
        ('[{"id": 1, "box": [1, 2, 3, 4], "mask": "two.png"}]', "entry 1: give either a box or a mask"),
        ('[{"id": 1, "box": [1, 2, 3]}]', "entry 1: box: not four numbers"),
        ('[{"id": 1, "box": [1, 2, 3, "4"]}]', "entry 1: box: not four numbers"),
        ('[{"id": 1, "box": {"x": 1}}]', "entry 1: box: not four numbers"),
        (f'[{{"id": 1, "box": [1, 2, 3, {"9" * 400}]}}]', "entry 1: box: not finite"),
        ('[{"id": 1, "mask": 5}]', "entry 1: mask: not a file name"),
        ('[{"id": 1, "mask": ""}]', "entry 1: mask: not a file name"),
        ('[{"id": 1, "mask": "a\\nb.png"}]', "entry 1: mask: not a file name"),
        ('[{"id": 1, "mask": "none.png"}]', "entry 1: mask none.png: no such file"),
        ('[{"id": 1, "mask": "."}]', "entry 1: mask .: not a file"),
        ('[{"id": 1, "mask": "p.json"}]', "entry 1: mask p.json: not a PNG"),
        ('[{"id": 2, "mask": "two.png"}]', "entry 1: mask two.png: holds objects 1, 4, not 2"),
        ('[{"id": 1, "mask": "../outside.png"}]', "entry 1: mask ../outside.png: outside the folder"),
        ('[{"id": 1, "mask": "/etc/hostname"}]', "entry 1: mask /etc/hostname: outside the folder"),
        ('[{"id": 1, "mask": "link.png"}]', "entry 1: mask link.png: outside the folder"),
    ],
)
def test_lists_that_cannot_be_used(text: str, says: str, tmp_path: Path) -> None:
    """One line that names the file and counts the entries from 1."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_labels(folder / "two.png", labels(1, 4))
    write_labels(tmp_path / "outside.png", labels(1))
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "p.json").write_text(text)
    with pytest.raises(InputError) as caught:
        reader().prompt_file(folder / "p.json")
    assert str(caught.value).startswith(f"{folder}/p.json: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    """Other encodings are told as what they are not."""
    (tmp_path / "p.json").write_bytes("[]".encode("utf-16"))
    with pytest.raises(InputError, match=r"not valid JSON .*utf-8"):
        reader().prompt_file(tmp_path / "p.json")
