"""``vossegment track`` as a person meets it: results, messages, exit codes."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from vossegment.cli.app import run
from vossegment.cli.track import frame_of, numbered, parse_box, to_xywh
from vossegment.data.sequence import ArraySequence
from vossegment.data.synthetic import synthetic_clip
from vossegment.demo import write_clip
from vossegment.errors import InputError
from vossegment.pipeline import first_boxes
from vossegment.writers.types import RunInfo

WHOLE = synthetic_clip(frames=48, height=240, width=420)
# The beginning of a clip at its natural pace: six frames for the whole path would be leaps, not motion.
CLIP = ArraySequence("pond", WHOLE.images[:6], WHOLE.label_maps[:6], WHOLE.objects)
BOX = ",".join(f"{v:g}" for v in first_boxes(CLIP)[0].box)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "pond.mp4"
    write_clip(CLIP, path, RunInfo({}, {}))
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["track", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_clip_gives_masks_overlay_and_json(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into SOURCE's name + _vos by default; the object is found; quiet prints the paths alone."""
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, clip, "--box", BOX, "--quiet")
    assert (code, err) == (0, "")
    assert out.splitlines() == ["pond_vos/masks", "pond_vos/overlay.mp4", "pond_vos/track.json"]
    found = json.loads((tmp_path / "pond_vos/track.json").read_text())
    assert (found["schema"], len(found["frames"]), found["model"]["name"]) == (1, 6, "e3sn")
    with PillowImage.open(tmp_path / "pond_vos/masks/00003.png") as picture:
        mask = np.array(picture) == 1
    truth = CLIP.labels(3) == 1
    assert (mask & truth).sum() / (mask | truth).sum() > 0.7


def test_a_folder_of_images_with_two_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of them named and starting late."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(4):
        cv2.imwrite(str(folder / f"{i}.png"), CLIP.image(i)[..., ::-1])
    code, _, err = call(
        capsys, folder, "--box", BOX, "--box", "7=20,20,40,30@2", "--save", "json", "--out", tmp_path / "o"
    )
    assert code == 0
    assert "frames/s" in err
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["track.json"]
    frames = json.loads((tmp_path / "o/track.json").read_text())["frames"]
    assert [[o["id"] for o in f["objects"]] for f in frames] == [[1], [1], [1, 7], [1, 7]]


def test_results_are_not_overwritten_unasked(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 5 and the remedy; with --overwrite they are."""
    arguments = (clip, "--box", BOX, "--save", "json", "--out", tmp_path / "o", "--quiet")
    assert call(capsys, *arguments)[0] == 0
    code, _, err = call(capsys, *arguments)
    assert code == 5
    assert "--overwrite" in err
    assert call(capsys, *arguments, "--overwrite")[0] == 0


def test_the_source_is_never_overwritten(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An earlier overlay as the source, its own folder as --out: exit 2, and it stays."""
    out = tmp_path / "o"
    assert call(capsys, clip, "--box", BOX, "--save", "overlay", "--out", out, "--quiet")[0] == 0
    code, _, err = call(capsys, out / "overlay.mp4", "--box", BOX, "--out", out, "--overwrite")
    assert code == 2
    assert "another --out" in err
    assert (out / "overlay.mp4").is_file()
    assert call(capsys, clip, "--box", BOX, "--save", "masks", "--out", out, "--overwrite", "--quiet")[0] == 0
    masks = len(list((out / "masks").iterdir()))
    assert call(capsys, out / "masks" / "*.png", "--box", BOX, "--out", out, "--overwrite")[0] == 2
    assert len(list((out / "masks").iterdir())) == masks


def test_a_prompt_that_is_never_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A source that does not tell its length: exit 0 and a warning."""
    import av

    path = tmp_path / "short.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 420, 240
        for i in range(3):
            for packet in stream.encode(av.VideoFrame.from_ndarray(CLIP.image(i), "rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    late = f"2={BOX}@50"
    code, _, err = call(capsys, path, "--box", BOX, "--box", late, "--save", "json", "--out", tmp_path / "o", "--quiet")
    assert code == 0
    assert "object 2 was to begin in frame 50" in err


def test_a_box_partly_outside_is_clipped_with_a_warning(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0, one line."""
    code, _, err = call(capsys, clip, "--box", "-5,-5,60,60", "--save", "json", "--out", tmp_path / "o", "--quiet")
    assert code == 0
    assert err.count("\n") == 1
    assert "clipped to 0,0,55,55" in err


def test_a_truncated_file_ends_with_a_warning(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Matroska keeps what came before the cut: exit 0, frames got and promised."""
    import av

    path = tmp_path / "cut.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 420, 240
        for i in range(40):
            for packet in stream.encode(av.VideoFrame.from_ndarray(CLIP.image(i % 6), "rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code, _, err = call(capsys, path, "--box", BOX, "--save", "json", "--out", tmp_path / "o", "--quiet")
    assert code == 0
    assert err.startswith("vossegment: warning:")
    assert err.count("\n") == 1


def _text(path: Path) -> None:
    path.write_text("not a video")


def _sound(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * 800)


def _nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("missing.mp4", lambda path: None, "no such file"),
        ("text.mp4", _text, "text.mp4"),
        ("sound.wav", _sound, "no video"),
        ("empty.mp4", _nothing, "empty.mp4"),
        ("folder", Path.mkdir, "folder"),
    ],
)
def test_sources_that_cannot_be_used(
    name: str, make: object, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, one line that names the thing, nothing written."""
    path = tmp_path / name
    make(path)  # type: ignore[operator]
    code, out, err = call(capsys, path, "--box", "1,1,5,5", "--out", tmp_path / "o")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert says in err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--box X,Y,W,H"),
        (["--box", "a,b,c,d"], "not four numbers"),
        (["--box", "1,2,3"], "not four numbers"),
        (["--box", "nan,1,5,5"], "not finite"),
        (["--box", "1,1,inf,5"], "not finite"),
        (["--box", "1,1,0,5"], "above 0"),
        (["--box", "1,1,5,-5"], "above 0"),
        (["--box", "900,1,5,5"], "wholly outside"),
        (["--box", "0=1,1,5,5"], "1 to 255"),
        (["--box", "1,1,5,5@99"], "begins in frame 99"),
        (["--box", "1,1,5,5@soon"], "neither a frame"),
        (["--box", "1=1,1,5,5", "--box", "1=9,9,5,5"], "two boxes"),
        (["--box", "1,1,5,5", "--model", "nonesuch"], "e3sn"),
        (["--box", "1,1,5,5", "--save", "gif"], "masks"),
        (["--box", "1,1,5,5", "--save", ","], "nothing to save"),
        (["--box", "1,1,5,5", "--box-format", "corners"], "xyxy"),
        (["--box", "1,1,5,5", "--box-from", "luck"], "branch"),
        (["--box", "1,1,5,5", "--device", "abacus"], "cpu"),
        (["--box", "1,1,5,5", "--precision", "int3"], "float32"),
        (["--box", "1,1,5,5", "--threads", "0"], "--threads"),
    ],
)
def test_calls_that_cannot_be_used(
    arguments: list[str], says: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, one line, nothing written."""
    code, _, err = call(capsys, clip, *arguments, "--out", tmp_path / "o")
    assert code == 2
    assert err.count("\n") == 1
    assert says in err
    assert not (tmp_path / "o").exists()


def test_weights_that_cannot_be_used(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 4, one line, nothing written."""
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"\0" * 100)
    for extra in (["--weights", bad], ["--weights", tmp_path / "none.safetensors"], ["--model", "e3sn_resnet50"]):
        code, _, err = call(capsys, clip, "--box", BOX, *extra, "--out", tmp_path / "o")
        assert code == 4
        assert err.count("\n") == 1
        assert not (tmp_path / "o").exists()


def test_output_that_is_a_file(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 5."""
    (tmp_path / "o").write_text("mine")
    code, _, err = call(capsys, clip, "--box", BOX, "--out", tmp_path / "o")
    assert code == 5
    assert err.count("\n") == 1
    assert (tmp_path / "o").read_text() == "mine"


def test_boxes_as_typed() -> None:
    """Ids, times and formats."""
    assert parse_box("1,2,3,4") == (None, [1, 2, 3, 4], "")
    assert parse_box(" 3 = 1.5,2,3,4 @ 1.5s") == (3, [1.5, 2, 3, 4], "1.5s")
    assert numbered([2, None, None]) == [2, 1, 3]
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
