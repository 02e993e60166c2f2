"""``vossegment track`` as a person meets it: results, messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from pond import BOX, CLIP, call

from vossegment import models
from vossegment.cli.app import run
from vossegment.models import load
from vossegment.writers.masks import write_labels


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


def test_the_default_model(
    clip: Path, guided_weights: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --model it is `guided`: its weights are taken, another model's are not."""
    weights, out = guided_weights["fresh"], tmp_path / "o"
    arguments = [str(v) for v in ("track", clip, "--box", BOX, "--weights", weights, "--save", "json", "--out", out)]
    assert run(arguments) == 0
    model = json.loads((out / "track.json").read_text())["model"]
    assert (model["name"], model["weights"]) == ("guided", "fresh")
    code, _, err = call(capsys, clip, "--box", BOX, "--weights", weights, "--out", tmp_path / "other")
    assert code == 4
    assert "weights of 'guided', not of 'e3sn'" in err


@pytest.mark.parametrize(
    ("save", "objects", "encoding"), [("masks,overlay", 1, True), ("masks,json", 1, False), ("overlay", 2, False)]
)
def test_the_model_is_told_of_an_encoder(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: str, objects: int, encoding: bool
) -> None:
    told = []
    monkeypatch.setattr(models, "load", lambda *_, **asked: told.append(asked["encoding"]) or load(*_, **asked))
    boxes = ["--box", BOX] * objects
    arguments = ("track", clip, "--model", "e3sn", *boxes, "--save", save, "--out", tmp_path / "o", "--quiet")
    assert run([str(v) for v in arguments]) == 0
    assert told == [encoding]


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


def _masks(folder: Path) -> np.ndarray:
    """Two masks of the clip's size: an indexed one with the object as 4 and a corner as 9, and a black and white."""
    labels = (CLIP.labels(0) == 1) * np.uint8(4)
    labels[:8, :8] = 9
    write_labels(folder / "two.png", labels)
    cv2.imwrite(str(folder / "white.png"), (CLIP.labels(0) == 1) * np.uint8(255))
    return labels


def test_masks(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of an indexed one stay, a black and white one is numbered after the boxes; the first map is the one given."""
    monkeypatch.chdir(tmp_path)
    labels = _masks(tmp_path)
    code, _, err = call(
        capsys, clip, "--mask", "two.png", "--mask", "white.png@2", "--box", "200,100,20,20",
        "--save", "masks,json", "--out", "o", "--quiet",
    )  # fmt: skip
    assert (code, err) == (0, "")
    track = json.loads((tmp_path / "o/track.json").read_text())
    x, y, w, h = cv2.boundingRect((labels == 4).view(np.uint8))
    assert track["objects"] == [
        {"id": 1, "prompt": {"frame": 0, "box": [200, 100, 20, 20]}},
        {"id": 4, "prompt": {"frame": 0, "box": [x, y, w, h], "mask": "two.png"}},
        {"id": 9, "prompt": {"frame": 0, "box": [0, 0, 8, 8], "mask": "two.png"}},
        {"id": 2, "prompt": {"frame": 2, "box": [x, y, w, h], "mask": "white.png"}},
    ]
    with PillowImage.open(tmp_path / "o/masks/00000.png") as picture:
        found = np.array(picture)
    np.testing.assert_array_equal(found * np.isin(found, [4, 9]), labels)
    assert [[o["id"] for o in f["objects"]] for f in track["frames"]] == [[1, 4, 9]] * 2 + [[1, 2, 4, 9]] * 4
    assert track["frames"][2]["objects"][1]["status"] == "prompted"


def test_a_mask_may_stand_at_a_time_and_have_an_at_in_its_name(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of the whole name comes first."""
    _masks(tmp_path)
    name = tmp_path / "white@1.png"
    (tmp_path / "white.png").rename(name)
    arguments = (clip, "--mask", name, "--mask", f"{name}@0.1s", "--save", "json", "--out", tmp_path / "o", "--quiet")
    assert call(capsys, *arguments)[0] == 0
    objects = json.loads((tmp_path / "o/track.json").read_text())["objects"]
    assert [(o["id"], o["prompt"]["frame"], o["prompt"]["mask"]) for o in objects] == [
        (1, 0, str(name)),
        (2, 2, str(name)),
    ]


def test_ids_of_masks_that_are_taken(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, a line that names both; in another frame the object is prompted again."""
    _masks(tmp_path)
    mask, again = f"{tmp_path}/two.png", f"{tmp_path}/two.png@1"
    for other in (["--box", "4=1,1,5,5"], ["--mask", mask]):
        code, _, err = call(capsys, clip, *other, "--mask", mask, "--out", tmp_path / "o")
        assert (code, err.count("\n")) == (2, 1)
        assert "object 4 has two prompts in frame 0" in err
        assert f"mask {mask}; give one" in err
    assert call(capsys, clip, "--mask", mask, "--mask", again, "--save", "json", "--out", tmp_path / "o", "-q")[0] == 0
    frames = json.loads((tmp_path / "o/track.json").read_text())["frames"]
    assert [o["status"] for o in frames[1]["objects"]] == ["prompted"] * 2


def test_prompts_from_a_file(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Boxes and masks, masks beside the file wherever one stands; of several objects in a mask, the one named."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    _masks(folder)
    entries = [
        {"id": 9, "mask": "two.png"},
        {"id": 3, "frame": 2, "mask": "white.png"},
        {"id": 5, "frame": 1, "box": [10, 20, 30.5, 40]},
    ]
    (folder / "p.json").write_text(json.dumps(entries))
    code, _, err = call(
        capsys, clip, "--prompts", folder / "p.json", "--box", BOX, "--save", "json", "--out", tmp_path / "o", "-q"
    )
    assert (code, err) == (0, "")
    objects = json.loads((tmp_path / "o/track.json").read_text())["objects"]
    assert [(o["id"], o["prompt"]["frame"], o["prompt"].get("mask")) for o in objects] == [
        (1, 0, None), (9, 0, "two.png"), (3, 2, "white.png"), (5, 1, None),
    ]  # fmt: skip
    assert objects[1]["prompt"]["box"] == [0, 0, 8, 8]


def test_a_prompt_is_never_overwritten(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mask among the earlier results in the output folder: exit 2, and it stays."""
    _masks(tmp_path)
    (tmp_path / "o/masks").mkdir(parents=True)
    mask = tmp_path / "o/masks/00000.png"
    (tmp_path / "two.png").rename(mask)
    code, _, err = call(capsys, clip, "--mask", mask, "--out", tmp_path / "o", "--overwrite")
    assert (code, err.count("\n")) == (2, 1)
    assert "another --out" in err
    assert mask.is_file()


def test_a_lost_object_is_shown_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The picture turns black: nothing, or the mask before that. Lost it is either way."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}.png"), CLIP.image(i)[..., ::-1] * (i < 2))
    areas = {}
    for lost in ("empty", "keep"):
        out = tmp_path / lost
        code, _, _ = call(capsys, folder, "--box", BOX, "--lost", lost, "--save", "json", "--out", out, "-q")
        assert code == 0
        records = [f["objects"][0] for f in json.loads((out / "track.json").read_text())["frames"]]
        assert [r["status"] for r in records] == ["prompted", "tracked", "lost"]
        areas[lost] = [r["area"] for r in records]
    assert areas["empty"][2] == 0
    assert areas["keep"][2] == areas["keep"][1] == areas["empty"][1]
