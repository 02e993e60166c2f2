"""The one table of models: name -> network, tracker, default weights. Here, and only here, they meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vossegment.errors import InputError, WeightsError, one_of
from vossegment.networks.e3sn import E3SN
from vossegment.networks.guided import Guided
from vossegment.networks.mobilenet import MaskedMobileNetV2, MobileNetV2
from vossegment.networks.resnet import resnet18, resnet50
from vossegment.networks.siammask import SiamMask
from vossegment.runtime.prepare import choose_device, choose_precision, prepare
from vossegment.tracking.propagation import PropagationTracker
from vossegment.tracking.propagation_settings import PropagationSettings
from vossegment.tracking.siamese import BoxFrom, SiameseSettings, SiameseTracker
from vossegment.tracking.siamfc import SiamFCSettings, SiamFCTracker
from vossegment.tracking.types import Prompts, Result, Rotated, Tracker
from vossegment.weights.load import WeightsFile, shipped_folder
from vossegment.weights.official import load_any

# [ours] Chosen on held-out training sequences: the tables in the weights' cards.
_E3SN_SETTINGS = SiameseSettings(mask_threshold=0.25, penalty=0.12, box_from="mask", most_change=1.08, lost_below=0.03)
# [o] config_davis of SiamMask's program; without refinement and anchors as the paper has them.
_SIAMMASK_SETTINGS = SiameseSettings(
    penalty=0.04,
    window_influence=0.40,
    rate=1.0,
    box_from="branch",
    mask_threshold=0.35,
    least_side=10.0,
    whole_pixels=True,
)
_TWO_BRANCHES = replace(_SIAMMASK_SETTINGS, box_from="mask", mask_threshold=0.5)
PRESETS: dict[str, dict[str, float]] = {
    "davis": {"penalty": 0.04, "window_influence": 0.40, "rate": 1.0, "mask_threshold": 0.35},
    "vot2016": {"penalty": 0.04, "window_influence": 0.42, "rate": 0.25, "mask_threshold": 0.30},
    "vot2018": {"penalty": 0.10, "window_influence": 0.41, "rate": 0.32, "mask_threshold": 0.15},
}
"""SiamMask's settings by benchmark [o]: config_davis, config_vot, config_vot18."""
_GUIDED_SETTINGS = PropagationSettings(
    passes=0,
    refresh=4,
    refresh_above=0.85,
    refresh_under=0.6,
    refresh_share=0.7,
    found_above=0.8,
    lost_doubt=0.015,
    found_doubt=0.006,
    claim=30.0,
    most_jump=8.0,
    least_share=0.1,
    memory_hidden=0.97,
    steady=1.0,
    lead=0.5,
)


@dataclass(frozen=True)
class Model:
    """One row of the table. ``weights`` is the file that ships, None where there is none; ``settings`` tell by their
    kind how the network is made to track."""

    summary: str
    build: Callable[[], nn.Module]
    weights: str | None
    settings: SiameseSettings | SiamFCSettings | PropagationSettings
    takes: tuple[str, ...] = ()
    """Models whose weights hold all of this one's: SiamMask's "box" and "2B-score" read-outs [p Tables 2 and 7]."""
    small_steps: bool = False
    """With one object, a step gains less from the last core than from leaving it to a video encoder [ours]: of two
    cores, `vossegment track` with `--threads 1` and `2` by turns, a frame of `guided` with its overlay takes 25 ms
    instead of 32 that way, one of E3SN 44 instead of 42; with two objects of `guided` it is 28 instead of 26."""

    def changed(self, settings: Mapping[str, Any]) -> Model:
        """The row with some settings changed. Raises InputError for one that it does not have, or a bad value."""
        known = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        for name, value in settings.items():
            if name == "box_from" and name not in known:
                raise InputError(
                    "a box source is for models with boxes and masks of their own; choose --model e3sn or siammask"
                )
            if name not in known:
                raise InputError(one_of("setting", name, known))
            kind = (int, float) if isinstance(known[name], float) else type(known[name])
            if isinstance(value, bool) != isinstance(known[name], bool) or not isinstance(value, kind):
                raise InputError(f"setting '{name}': {value!r}, wanted something like {known[name]!r}")
        try:
            return replace(self, settings=replace(self.settings, **settings))
        except ValueError as error:
            raise InputError(f"setting {error}") from None

    def tracker(self, network: Any, device: torch.device) -> Tracker:
        """The tracker round a prepared ``network``."""
        if isinstance(self.settings, PropagationSettings):
            return PropagationTracker(network, self.settings, device=device)
        if isinstance(self.settings, SiamFCSettings):
            return SiamFCTracker(network, self.settings, device=device)
        return SiameseTracker(network, self.settings, device=device)


MODELS: dict[str, Model] = {
    "guided": Model(
        "reference-guided propagation in the object's window, on MobileOne-S0",
        lambda: Guided(starter=Guided()),
        "guided_mobileone_s0",
        _GUIDED_SETTINGS,
        small_steps=True,
    ),
    "guided_plain": Model(
        "guided without a network of its own for first masks",
        Guided,
        "guided_mobileone_s0",
        _GUIDED_SETTINGS,
        takes=("guided",),
        small_steps=True,
    ),
    "guided_mobilenet_v2": Model(
        "guided on MobileNetV2",
        lambda: Guided(trunk=MaskedMobileNetV2()),
        "guided_mobilenet_v2",
        replace(_GUIDED_SETTINGS, least_share=0.0, lost_doubt=0.2, found_doubt=0.04),
        small_steps=True,
    ),
    "e3sn": Model(
        "E3SN on MobileNetV2, for CPUs",
        lambda: E3SN(trunk=MobileNetV2(), neck=128, head_on_sum=True),
        "e3sn_mobilenet_v2",
        _E3SN_SETTINGS,
    ),
    "e3sn_resnet18": Model("E3SN on ResNet-18", lambda: E3SN(trunk=resnet18(), neck=256), None, _E3SN_SETTINGS),
    "e3sn_resnet50": Model(
        "E3SN on ResNet-50, as the paper", lambda: E3SN(trunk=resnet50(), neck=256), None, _E3SN_SETTINGS
    ),
    "e3sn_resnet50_plain": Model(
        "E3SN on ResNet-50 without aggregation (the paper's ablation)",
        lambda: E3SN(trunk=resnet50(), neck=256, aggregate=False),
        None,
        _E3SN_SETTINGS,
    ),
    "siammask": Model("SiamMask, three branches, refined (siammask_sharp)", SiamMask, None, _SIAMMASK_SETTINGS),
    "siammask_base": Model(
        "SiamMask without refinement", lambda: SiamMask(refined=False), None, _SIAMMASK_SETTINGS, takes=("siammask",)
    ),
    "siammask_2b": Model("SiamMask, two branches, refined", lambda: SiamMask(anchors=False), None, _TWO_BRANCHES),
    "siammask_2b_base": Model(
        "SiamMask, two branches, without refinement",
        lambda: SiamMask(anchors=False, refined=False),
        None,
        _TWO_BRANCHES,
        takes=("siammask_2b",),
    ),
    "siammask_small": Model("SiamMask on MobileNetV2", lambda: SiamMask(trunk=MobileNetV2()), None, _SIAMMASK_SETTINGS),
    "siammask_small_base": Model(
        "SiamMask on MobileNetV2, without refinement",
        lambda: SiamMask(trunk=MobileNetV2(), refined=False),
        None,
        _SIAMMASK_SETTINGS,
    ),
    "siamfc": Model(
        "SiamFC on ResNet-50: boxes of one shape, no masks",
        lambda: SiamMask(anchors=False, masks=False),
        None,
        SiamFCSettings(),
        takes=("siammask_2b", "siammask_2b_base"),
    ),
    "siamrpn": Model(
        "SiamRPN on ResNet-50: boxes, no masks",
        lambda: SiamMask(masks=False),
        None,
        _SIAMMASK_SETTINGS,
        takes=("siammask", "siammask_base"),
    ),
}
DEFAULT = "guided"


def find(name: str) -> Model:
    """The row of ``name``. Raises InputError that lists the known names."""
    if name not in MODELS:
        raise InputError(one_of("model", name, MODELS))
    return MODELS[name]


@dataclass(frozen=True)
class LoadedModel:
    """A tracker ready to run (it follows ``tracking.types.Tracker``), and where it came from."""

    tracker: Tracker
    name: str
    weights: WeightsFile
    precision: str

    @property
    def device(self) -> torch.device:
        return self.tracker.device

    @property
    def mask_threshold(self) -> float:
        return self.tracker.mask_threshold

    def start(self, frame: Tensor, prompts: Prompts) -> Any:
        """See ``tracking.types.Tracker``."""
        return self.tracker.start(frame, prompts)

    def step(self, state: Any, frame: Tensor) -> tuple[Any, Result]:
        """See ``tracking.types.Tracker``."""
        return self.tracker.step(state, frame)

    def describe(self) -> dict[str, Any]:
        """The ``model`` entry of ``track.json``."""
        return {
            "name": self.name,
            "weights": self.weights.name,
            "sha256": self.weights.sha256,
            "device": str(self.tracker.device),
            "precision": self.precision,
        }


def takes_presets(model: str) -> bool:
    """Whether a model ranks as SiamMask does, so that its presets fit. Raises InputError for an unknown one."""
    return find(model).settings in (_SIAMMASK_SETTINGS, _TWO_BRANCHES)


def preset_settings(name: str | None, model: str) -> Mapping[str, Any]:
    """Settings for ``load`` by a benchmark's name; none for None. Raises InputError for an unknown one, or for a
    model that does not rank as SiamMask does."""
    if name is None:
        return {}
    if not takes_presets(model):
        raise InputError(f"preset '{name}' is SiamMask's; choose --model siammask or another of its kind")
    if name not in PRESETS:
        raise InputError(one_of("preset", name, PRESETS))
    return PRESETS[name]


def preset_box(name: str | None) -> Rotated | None:
    """The box that a benchmark by this name wants read out: VOT's are rotated; None where masks are scored."""
    return "mbr" if name is not None and name.startswith("vot") else None


def weights_path(name: str, weights: Path | None) -> Path:
    """The file to load: the one named, or the model's own. Raises WeightsError where there is neither."""
    if weights is not None:
        return weights
    own = find(name).weights
    if own is None:
        raise WeightsError(f"no weights ship for '{name}'; give --weights FILE, or train them")
    return shipped_folder() / f"{own}.safetensors"


def load(
    name: str = DEFAULT,
    *,
    weights: Path | str | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    encoding: bool = False,
    box_from: BoxFrom | None = None,
    settings: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """A model by name, its weights loaded and checked, prepared for ``device``.

    ``threads`` sets torch's CPU threads for the process; ``encoding`` says that one object is to be followed while a
    video is encoded: where ``threads`` is not given, models of small steps leave a core to that. ``settings`` changes
    how the model tracks, by the names of its ``PropagationSettings``, ``SiameseSettings`` or ``SiamFCSettings``:
    ``load("guided", settings={"mirrored": True})``. Raises InputError for an unknown name, device, precision or
    setting, WeightsError for a bad file.
    """
    own = {} if box_from is None else {"box_from": box_from}
    row = find(name).changed({**own, **(settings or {})})
    chosen = choose_device(device)
    dtype = choose_precision(precision, chosen)
    network = row.build()
    path = weights_path(name, Path(weights) if weights is not None else None)
    file = load_any(network, path, name=name, takes=row.takes)
    if threads is None and encoding and row.small_steps and chosen.type == "cpu":
        threads = max(1, _all_threads() - 1)
    if threads is not None:
        torch.set_num_threads(threads)
    prepared = prepare(network, chosen, dtype)
    tracker = row.tracker(prepared, chosen)
    return LoadedModel(tracker, name, file, str(dtype).removeprefix("torch."))


@cache
def _all_threads() -> int:
    """Torch's threads before any were left to others."""
    return torch.get_num_threads()
