"""``vossegment track``: sources, calls, weights and outputs that cannot be used."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from pond import BOX, call


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
        (["--box", "1=1,1,5,5", "--box", "1=9,9,5,5"], "two prompts in frame 0, box 1,1,5,5 and box 9,9,5,5"),
        (["--box", f"{'1' * 5000}=1,1,5,5"], "not four numbers"),
        (["--mask", "nonesuch.png"], "mask nonesuch.png: no such file"),
        (["--mask", "nonesuch.png@soon"], "start 'soon': neither a frame"),
        (["--mask", "."], "mask .: not a file"),
        (["--mask", "m" * 5000], "File name too long"),
        (["--prompts", "nonesuch.json"], "nonesuch.json: no such file"),
        (["--box", "1,1,5,5", "--lost", "found"], "known: empty, keep"),
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
