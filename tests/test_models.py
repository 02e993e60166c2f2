"""The table of models, and ``load``: what can be changed of a model, and what is refused before a file is read."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from vossegment import models
from vossegment.cli import demo, evaluate, options, track
from vossegment.errors import InputError
from vossegment.models import DEFAULT, MODELS, find, load
from vossegment.networks.guided import Guided
from vossegment.tracking.propagation import PropagationTracker
from vossegment.tracking.propagation_settings import PropagationSettings
from vossegment.tracking.siamese import SiameseSettings, SiameseTracker
from vossegment.weights.load import save_weights


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of `guided` as it is built."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "fresh.safetensors"
    save_weights(Guided(starter=Guided()), path, name="guided", about={})
    return path


def test_the_default_is_one() -> None:
    """The same model for the library and for every command that takes one."""
    assert options.MODEL == DEFAULT
    assert DEFAULT in MODELS
    assert inspect.signature(load).parameters["name"].default == DEFAULT
    for module in (track, demo, evaluate):
        assert inspect.signature(module.command).parameters["model"].default == DEFAULT


def test_an_unknown_model() -> None:
    """The message lists the known ones."""
    with pytest.raises(InputError, match="unknown model 'sam'") as caught:
        load("sam")
    assert all(name in str(caught.value) for name in MODELS)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("guided", {"mirrored": True, "most_jump": 7.5}),
        ("guided", {"passes": 0, "refresh": 5, "lost_below": 0.25}),
        ("guided", {"growth": 1, "lead": 0}),  # a whole number is a number
        ("e3sn", {"box_from": "branch"}),
        ("e3sn", {"penalty": 0.5, "most_growth": 3}),
    ],
)
def test_changed_settings(name: str, settings: dict[str, Any]) -> None:
    """What is named is changed, the rest and the table stay."""
    row = find(name)
    before = row.settings
    changed = row.changed(settings)
    assert changed.settings == replace(before, **settings)
    assert changed.settings != before
    assert replace(changed, settings=before) == row
    assert find(name).settings is before


@pytest.mark.parametrize("name", list(MODELS))
def test_every_setting_can_be_given(name: str) -> None:
    """Those that a model has are taken as they are; none is no change."""
    row = find(name)
    own = {f.name: getattr(row.settings, f.name) for f in fields(row.settings)}
    assert row.changed(own) == row.changed({}) == row


@pytest.mark.parametrize(("name", "unknown"), [("guided", "penalty"), ("e3sn", "mirrored"), ("guided", "")])
def test_an_unknown_setting(name: str, unknown: str) -> None:
    """Another model's is unknown as well; the message lists the known ones."""
    with pytest.raises(InputError, match=f"unknown setting '{unknown}'") as caught:
        find(name).changed({unknown: 1})
    listed = str(caught.value).split("known: ")[1].split(", ")
    assert listed == sorted(f.name for f in fields(find(name).settings))


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("guided", "mirrored", "yes"),
        ("guided", "mirrored", 1),
        ("guided", "mirrored", None),
        ("guided", "passes", True),
        ("guided", "passes", 2.0),
        ("guided", "passes", "2"),
        ("guided", "size", 192.5),
        ("guided", "lost_below", "0.5"),
        ("guided", "lost_below", True),
        ("guided", "lost_below", None),
        ("guided", "lost_below", torch.tensor(0.5)),
        ("e3sn", "box_from", 3),
        ("e3sn", "penalty", [0.1]),
    ],
)
def test_a_setting_of_another_kind(name: str, setting: str, value: Any) -> None:
    """The message names the setting, the value, and one that would do."""
    with pytest.raises(InputError, match=f"setting '{setting}': ") as caught:
        find(name).changed({setting: value})
    assert f"{value!r}, wanted something like {getattr(find(name).settings, setting)!r}" in str(caught.value)


def test_load_with_settings(fresh: Path) -> None:
    """They are the tracker's."""
    settings = {"mirrored": True, "lost_below": 0.5}
    loaded = load("guided", weights=fresh, device="cpu", precision="float32", settings=settings)
    assert isinstance(loaded.tracker, PropagationTracker)
    own = find("guided").settings
    assert isinstance(own, PropagationSettings)
    assert loaded.tracker.settings == replace(own, mirrored=True, lost_below=0.5)
    assert loaded.describe()["name"] == "guided"
    plain = load("guided", weights=fresh, device="cpu", precision="float32")
    assert isinstance(plain.tracker, PropagationTracker)
    assert plain.tracker.settings == own


@pytest.mark.parametrize("settings", [{"nonesuch": 1}, {"mirrored": "yes"}])
def test_settings_are_checked_before_the_file(settings: dict[str, Any]) -> None:
    """A call that cannot be right costs no reading, and its own error is told."""
    with pytest.raises(InputError, match="setting"):
        load("guided", weights="nonesuch.safetensors", settings=settings)


def test_a_box_source_is_for_siamese_models(fresh: Path) -> None:
    """`guided` has none to choose, whichever is named; `e3sn` has those that are known."""
    with pytest.raises(InputError, match="e3sn or siammask"):
        load("guided", weights=fresh, device="cpu", box_from="mask")
    with pytest.raises(InputError, match="'box_from': 'luck', known: branch, mask, both"):
        load("e3sn", weights="nonesuch.safetensors", box_from="luck")  # type: ignore[arg-type]
    loaded = load("e3sn", device="cpu", box_from="branch", settings={"penalty": 0.5})
    own = find("e3sn").settings
    assert isinstance(own, SiameseSettings)
    assert isinstance(loaded.tracker, SiameseTracker)
    assert loaded.tracker.settings == replace(own, box_from="branch", penalty=0.5)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("guided", {"size": 100}),
        ("guided", {"size": 0}),
        ("guided", {"size": -32}),
        ("guided", {"most_jump": 0.0}),
        ("guided", {"refresh": -1}),
        ("guided", {"lost_below": float("nan")}),
        ("e3sn", {"box_from": "luck"}),
        ("e3sn", {"least_side": float("nan")}),
    ],
)
def test_values_that_cannot_work(name: str, settings: dict[str, Any]) -> None:
    """A setting of the right kind but no use is told by its name, before the weights are read."""
    with pytest.raises(InputError, match=next(iter(settings))):
        load(name, weights="nonesuch.safetensors", settings=settings)


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_an_encoder_gets_a_core_where_steps_are_small(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_all_threads", lambda: cores)
    torch.set_num_threads(cores)

    def threads(name: str, **asked: Any) -> int:
        load(name, device="cpu", **asked)
        return torch.get_num_threads()

    assert threads("e3sn", encoding=True) == cores
    assert threads("guided") == cores
    assert threads("guided", encoding=True, threads=3) == 3
    assert threads("guided", encoding=True) == max(1, cores - 1)
    assert threads("guided", encoding=True) == max(1, cores - 1), "a second model takes no more away"
