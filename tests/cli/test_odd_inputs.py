"""``vossegment track`` with `guided` on inputs at the edge: whole results, or one clear line; never a traceback.

The networks are untrained: what they answer is as odd as what they are given.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import av
import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from vossegment.cli.app import run
from vossegment.data.sequence import ArraySequence
from vossegment.demo import write_clip
from vossegment.tracking.types import Image
from vossegment.writers.types import RunInfo

FRAMES = 4
UNTRAINED = ("fresh", "nothing", "everything", "noise")


def picture(index: int, width: int, height: int) -> Image:
    """Blots that wander to the right."""
    rng = np.random.default_rng(0)
    blots = rng.integers(0, 256, (2 + height // 6, 2 + width // 6, 3), dtype=np.uint8)
    whole = cv2.resize(blots, (width + 4 * FRAMES, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(whole[:, 4 * index : 4 * index + width])


def make_source(path: Path, width: int, height: int) -> Path:
    """A video of ``FRAMES`` frames; a folder of images where ``path`` has no suffix."""
    images = tuple(picture(i, width, height) for i in range(FRAMES))
    if path.suffix:
        write_clip(ArraySequence("odd", images, (np.zeros((height, width), np.uint8),) * FRAMES), path, RunInfo({}, {}))
        return path
    path.mkdir()
    for i, image in enumerate(images):
        cv2.imwrite(str(path / f"{i}.png"), image[..., ::-1])
    return path


def make_mask(path: Path, width: int, height: int, *pixels: tuple[int, int]) -> Path:
    """Black, but for ``pixels`` x, y."""
    mask = np.zeros((height, width), np.uint8)
    for x, y in pixels:
        mask[y, x] = 255
    cv2.imwrite(str(path), mask)
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["track", "--model", "guided", "--threads", "1", "--quiet", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def _not_json(number: str) -> NoReturn:
    raise AssertionError(f"{number} in track.json")


def check_whole(out: Path, width: int, height: int, objects: int = 1) -> list[list[dict[str, Any]]]:
    """All three results, of every frame and of the frame's size; the objects' records by frame."""
    assert sorted(p.name for p in out.iterdir()) == ["masks", "overlay.mp4", "track.json"]
    written = json.loads((out / "track.json").read_text(), parse_constant=_not_json)
    frames: list[list[dict[str, Any]]] = [frame["objects"] for frame in written["frames"]]
    assert [len(records) for records in frames] == [objects] * FRAMES
    assert sorted(p.name for p in (out / "masks").iterdir()) == [f"{i:05d}.png" for i in range(FRAMES)]
    for i, records in enumerate(frames):
        with PillowImage.open(out / f"masks/{i:05d}.png") as image:
            assert image.size == (width, height)
            labels = np.array(image)
        assert {r["id"]: r["area"] for r in records} == {r["id"]: int((labels == r["id"]).sum()) for r in records}
        assert set(np.unique(labels)) <= {0, *(r["id"] for r in records)}
        for record in records:
            assert 0 <= record["score"] <= 1
            assert (record["box"] is None) is (record["area"] == 0)
    with av.open(str(out / "overlay.mp4")) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert sizes == [(width + width % 2, height + height % 2)] * FRAMES
    return frames


@pytest.mark.parametrize("kind", UNTRAINED)
@pytest.mark.parametrize(
    "box",
    [
        pytest.param("80,40,3,3", id="three pixels"),
        pytest.param("157,93,3,3", id="three pixels in the corner"),
        pytest.param("80.2,40.7,0.25,0.25", id="part of a pixel"),
        pytest.param("0,50,160,1", id="a line"),
        pytest.param("0,0,160,96", id="the whole frame"),
    ],
)
def test_odd_boxes(
    box: str, kind: str, guided_weights: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Far too small, or all that there is."""
    source, out = make_source(tmp_path / "odd.mp4", 160, 96), tmp_path / "o"
    code, said, err = call(capsys, source, "--box", box, "--weights", guided_weights[kind], "--out", out)
    assert (code, err) == (0, "")
    assert said.splitlines() == [str(out / name) for name in ("masks", "overlay.mp4", "track.json")]
    frames = check_whole(out, 160, 96)
    if kind == "nothing":
        assert all(record["status"] == "lost" for (record,) in frames)


@pytest.mark.parametrize("kind", UNTRAINED)
@pytest.mark.parametrize("pixels", [((80, 40),), ((159, 95),), ((0, 0), (159, 95))])
def test_masks_of_a_pixel(
    pixels: tuple[tuple[int, int], ...],
    kind: str,
    guided_weights: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One, in the middle or in the corner, or two as far apart as can be: shown as given, then as the network says."""
    source, out = make_source(tmp_path / "odd.mp4", 160, 96), tmp_path / "o"
    mask = make_mask(tmp_path / "mask.png", 160, 96, *pixels)
    code, _, err = call(capsys, source, "--mask", mask, "--weights", guided_weights[kind], "--out", out)
    assert (code, err) == (0, "")
    (first,) = check_whole(out, 160, 96)[0]
    assert (first["status"], first["area"]) == ("prompted", len(pixels))


@pytest.mark.parametrize("kind", UNTRAINED)
@pytest.mark.parametrize(
    ("name", "width", "height"), [("odd.mp4", 40, 30), ("odd.mp4", 200, 16), ("odd", 41, 31), ("odd", 1, 1)]
)
def test_small_frames(
    name: str,
    width: int,
    height: int,
    kind: str,
    guided_weights: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Smaller than any window, from the corner pixel, its mask and the whole frame at once."""
    source, out = make_source(tmp_path / name, width, height), tmp_path / "o"
    mask = make_mask(tmp_path / "mask.png", width, height, (0, 0))
    prompts = ("--box", f"0,0,{width},{height}", "--box", f"{width - 1},{height - 1},1,1", "--mask", mask)
    code, _, err = call(capsys, source, *prompts, "--weights", guided_weights[kind], "--lost", "keep", "--out", out)
    assert (code, err) == (0, "")
    check_whole(out, width, height, objects=3)


def test_what_is_seen_everywhere_fills_the_frame(
    guided_weights: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And stays in it: the masks end with the frame, and so do the boxes."""
    source, out = make_source(tmp_path / "odd.mp4", 40, 30), tmp_path / "o"
    weights = guided_weights["everything"]
    assert call(capsys, source, "--box", "0,0,40,30", "--weights", weights, "--out", out)[0] == 0
    for (record,) in check_whole(out, 40, 30):
        assert (record["status"] != "lost", record["area"], record["box"]) == (True, 1200, [0, 0, 40, 30])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--box", "40,30,3,3"], "wholly outside the frame of 40x30"),
        (["--box", "5,5,0,3"], "above 0"),
        (["--mask", "small.png"], "mask small.png: 1x1"),
        (["--mask", "empty.png"], "mask empty.png: empty"),
        (["--box", "5,5,3,3", "--box-from", "mask"], "e3sn or siammask"),
    ],
)
def test_odd_inputs_that_cannot_be_used(
    arguments: list[str],
    says: str,
    guided_weights: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 2, one line that says why, nothing written."""
    monkeypatch.chdir(tmp_path)
    source = make_source(tmp_path / "odd.mp4", 40, 30)
    make_mask(tmp_path / "small.png", 1, 1, (0, 0))
    make_mask(tmp_path / "empty.png", 40, 30)
    code, said, err = call(capsys, source, *arguments, "--weights", guided_weights["fresh"], "--out", "o")
    assert (code, said, err.count("\n")) == (2, "", 1)
    assert says in err
    assert not (tmp_path / "o").exists()
