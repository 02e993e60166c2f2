"""The other commands, each run once for real on small things."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from calls import said
from PIL import Image as PillowImage

from vossegment.data.synthetic import synthetic_clip
from vossegment.models import DEFAULT


@pytest.fixture(scope="module")
def davis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAVIS folder of one made sequence."""
    root = tmp_path_factory.mktemp("davis")
    clip = synthetic_clip(frames=48, height=240, width=420)  # its first six frames: motion, not leaps
    for folder in ("JPEGImages/480p/pond", "Annotations/480p/pond", "ImageSets/2016"):
        (root / folder).mkdir(parents=True)
    for name in ("train", "val"):
        (root / f"ImageSets/2016/{name}.txt").write_text("pond\n")
    for i in range(6):
        cv2.imwrite(str(root / f"JPEGImages/480p/pond/{i:05d}.jpg"), clip.image(i)[..., ::-1])
        PillowImage.fromarray(clip.labels(i)).save(root / f"Annotations/480p/pond/{i:05d}.png")
    return root


def test_eval_runs_a_model_and_scores_its_masks(
    davis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The saved masks, scored alone, give the same numbers; the baselines stand beside them."""
    code, out, _ = said(
        capsys, "eval", "davis2016", "--model", "e3sn", "--data", davis, "--out", tmp_path / "a", "--save-masks"
    )
    assert code == 0
    assert all(word in out for word in ("pond", "static_box", "static_mask"))
    ran = json.loads((tmp_path / "a/report.json").read_text())
    masks = tmp_path / "a/masks"
    code, _, _ = said(
        capsys, "eval", "davis2016", "--data", davis, "--results", masks, "--out", tmp_path / "b", "--threads", 1
    )
    assert code == 0
    scored = json.loads((tmp_path / "b/report.json").read_text())
    assert scored["global"] == ran["global"]
    assert ran["model"]["name"] == "e3sn"
    assert scored["model"] is None
    assert ran["speed"]["end_to_end_fps"] > 0
    assert ran["global"]["J"]["mean"] > 0.7


def test_eval_starts_from_the_first_mask(davis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or from its box; the report and the terminal say which, and the first map saved is what was given."""
    asked = ("eval", "davis2016", "--model", "e3sn", "--data", davis, "--save-masks", "--threads", 1)
    for start, extra in (("box", []), ("mask", ["--start", "mask"])):
        out = tmp_path / start
        code, _, err = said(capsys, *asked, "--out", out, *extra)
        assert code == 0
        assert f"from the first {start}" in err
        assert json.loads((out / "report.json").read_text())["model"]["start"] == start
        with PillowImage.open(out / "masks/pond/00000.png") as picture:
            first = np.array(picture)
        with PillowImage.open(davis / "Annotations/480p/pond/00000.png") as picture:
            assert ((np.array(picture) != 0) == (first == 1)).all() == (start == "mask")
    code, _, err = said(capsys, "eval", "davis2016", "--data", davis, "--out", tmp_path / "o", "--start", "point")
    assert code == 2
    assert "known: box, mask" in err


def test_eval_refuses_what_is_missing(davis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown benchmark 2, missing data 3, a report in the way 5."""
    assert said(capsys, "eval", "davis1999", "--data", davis)[0] == 2
    code, _, err = said(capsys, "eval", "davis2016", "--data", tmp_path, "--out", tmp_path / "o")
    assert code == 3
    assert "JPEGImages" in err
    (tmp_path / "o").mkdir()
    (tmp_path / "o/report.json").write_text("{}")
    assert said(capsys, "eval", "davis2016", "--data", davis, "--out", tmp_path / "o")[0] == 5


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Clip, masks, overlay and records, and a score worth showing."""
    from vossegment import demo

    monkeypatch.setattr(demo, "synthetic_clip", lambda seed: synthetic_clip(12, 180, 320, seed))
    code, out, err = said(capsys, "demo", "--out", tmp_path / "d")
    assert code == 0
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["clip.mp4", "masks", "overlay.mp4", "track.json"]
    assert float(out.split()[1].rstrip(",")) > 80
    assert "frames/s" in err
    assert said(capsys, "demo", "--out", tmp_path / "d")[0] == 5


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    """Names every model, where the weights lie, and the terms."""
    code, out, _ = said(capsys, "info")
    assert code == 0
    assert "e3sn_mobilenet_v2.safetensors" in out
    assert "non-commercial" in out
    code, out, _ = said(capsys, "info", "--json")
    models = json.loads(out)["models"]
    assert Path(models["e3sn"]["weights"]).is_file()
    assert [name for name, about in models.items() if about["default"]] == [DEFAULT]


def test_train_stops_resumes_and_gives_weights_that_run(
    davis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From nothing to a weights file that `track` takes; a second call needs --resume."""
    from dataclasses import replace

    from vossegment.training import run as training
    from vossegment.training.recipes import RECIPES

    small = replace(RECIPES["e3sn_small"], steps=3, batch=2, warm_up=1)
    monkeypatch.setitem(RECIPES, "e3sn_small", small)
    monkeypatch.setattr(training, "load_imagenet", lambda trunk, source: "nowhere")
    out = tmp_path / "run"
    stills = tmp_path / "stills"
    for folder in ("images", "masks"):
        (stills / folder).mkdir(parents=True)
    clip = synthetic_clip(frames=1, height=120, width=200, seed=3)
    cv2.imwrite(str(stills / "images/a.jpg"), clip.image(0)[..., ::-1])
    cv2.imwrite(str(stills / "masks/a.png"), np.asarray(clip.labels(0)))
    arguments = ["train", "e3sn_small", "--data", f"davis={davis}", "--data", f"stills={stills}", "--out", out]
    code, _, err = said(capsys, *arguments, "--minutes", 0, "--workers", 0)
    assert code == 0
    assert "--resume" in err
    assert said(capsys, *arguments)[0] == 5
    code, printed, _ = said(capsys, *arguments, "--resume", "--workers", 0, "--quiet")
    assert code == 0
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    code, _, err = said(capsys, *arguments[:4], "--out", out, "--resume", "--workers", 0)
    assert code == 4
    assert "other data" in err
    weights = Path(printed.strip())
    frames = davis / "JPEGImages/480p/pond"
    trained = ("--model", "e3sn", "--weights", weights)
    code, _, _ = said(
        capsys, "track", frames, "--box", "60,40,60,40", *trained, "--save", "json", "--out", tmp_path / "t"
    )
    assert code == 0


def test_train_in_two_stages(
    davis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stage in a folder of its own, the second on its weights, one log; stopped between, it goes on; a stage
    may be trained alone."""
    from vossegment.training import engine
    from vossegment.training import run as training

    monkeypatch.setattr(training, "load_imagenet", lambda trunk, source: "nowhere")
    monkeypatch.setattr(training, "_SHOWN", 1)
    plain = engine.Trainer.run
    monkeypatch.setattr(engine.Trainer, "run", lambda *a, **k: plain(*a, **{**k, "told_every": 1}))
    out = tmp_path / "run"
    arguments = ["train", "siammask_small", "--data", f"davis={davis}", "--out", out, "--workers", 0]
    for field in ("steps=2", "batch=1", "warm_up=1", "before.steps=2", "before.batch=1", "before.warm_up=1"):
        arguments += ["--set", field]
    assert said(capsys, *arguments, "--set", "stage=other")[0] == 2
    code, _, err = said(capsys, *arguments, "--set", "stage=siammask_small_base", "--minutes", 0)
    assert code == 0, err
    assert "step 1 of 2 of siammask_small_base" in err
    assert said(capsys, *arguments)[0] == 5
    code, printed, err = said(capsys, *arguments, "--resume", "--quiet")
    assert code == 0, err
    assert Path(printed.splitlines()[-1]) == out / "weights.safetensors"
    told = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in told] == [
        *(("siammask_small_base", 1), ("siammask_small_base", 2)),
        *(("siammask_small", 1), ("siammask_small", 2)),
    ]
    seeds = [torch.load(p / "checkpoint.pt", weights_only=True)["seed"] for p in (out / "siammask_small_base", out)]
    assert seeds == [0, 1]  # other samples in each stage
    assert said(capsys, *arguments, "--resume")[0] == 0  # nothing left to do
    assert said(capsys, *arguments[:-1], "steps=one")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nonesuch"], 2),
        (["e3sn_small"], 2),
        (["e3sn_small", "--data", "davis"], 2),
        (["e3sn_small", "--data", "moon=."], 2),
        (["e3sn_small", "--data", "stills=/nonesuch"], 3),
    ],
)
def test_train_refuses(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, the right exit code, nothing written."""
    monkeypatch.chdir(tmp_path)
    found, _, err = said(capsys, "train", *arguments)
    assert found == code
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
