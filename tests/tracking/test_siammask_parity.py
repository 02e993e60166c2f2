"""The Siamese step gives SiamMask's program's numbers: crops, ranking, pasting, and whole steps with its network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from official_recipe import official_state
from torch import Tensor

from vossegment.models import find
from vossegment.networks.siammask import SiamMask
from vossegment.tracking.geometry import context_side
from vossegment.tracking.merge import label_map
from vossegment.tracking.rotated import box_of_mask, read_out
from vossegment.tracking.siamese import SiameseSettings, SiameseState, SiameseTracker
from vossegment.tracking.types import Prompts, Result
from vossegment.tracking.whole_pixels import crop_whole, whole_windows
from vossegment.weights.official import fill, renamed

Numbers = Mapping[str, NDArray[Any]]
REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference"
COMMON = REFERENCE / "siammask_common"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs the numbers of shared/reference")
CPU = torch.device("cpu")


def cases(file: Path) -> dict[str, dict[str, Any]]:
    """Configurations by name; none where the reference is missing."""
    if not file.is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(file.read_text())
    return found.get("runs", found)


POSTPROC = cases(COMMON / "postproc_configs.json")
RUNS = {
    (kind, name): about
    for kind in ("sharp", "base")
    for name, about in cases(REFERENCE / f"siammask_{kind}" / "configs.json").items()
}
QUICK = [("sharp", "davis"), ("base", "default")]


def picture(path: Path) -> Tensor:
    """``(H, W, 3)`` RGB."""
    return torch.from_numpy(np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]))


def settings(about: Mapping[str, Any]) -> SiameseSettings:
    """Ours, from what the program was told."""
    said = about["effective"]
    plain = find("siammask").settings
    assert isinstance(plain, SiameseSettings)
    return replace(
        plain,
        penalty=said["penalty_k"],
        window_influence=said["window_influence"],
        rate=said["lr"],
        mask_threshold=said["seg_thr"],
    )


def check_mask(found: Result, threshold: float, expected: NDArray[Any], *, most: int) -> NDArray[np.bool_]:
    """The mask in the frame, as it is written, has at most so many pixels other than the program's; gives it."""
    inside = label_map(found, (1,), *expected.shape, threshold=threshold) == 1
    assert int((inside != expected).sum()) <= most
    return inside


def check_polygon(found: Result, inside: NDArray[Any], expected: NDArray[Any]) -> None:
    """The corners read out, in any order; where the mask is too small, the box as it was proposed. The program counts
    an outline's pixels from their centres."""
    x0, y0, x1, y1 = found.proposed[0].tolist()
    corners = read_out(inside, "mbr", (x0, y0, x1 - x0, y1 - y0))
    made = box_of_mask(inside, "mbr") is not None
    apart = np.abs(corners[:, None] - (expected + 0.5 * made)[None]).max(2).min(1)
    assert float(apart.max()) < (1.0 if made else 1e-3)


@pytest.mark.parametrize("which", ["exemplar", "search"])
def test_crops(which: str) -> None:
    """Byte for byte, inside, at each border and corner, larger than the frame, and enlarged."""
    numbers = np.load(COMMON / "crops.npz")
    image = picture(COMMON / "still_360x480.png")
    mean = image.float().mean((0, 1))[None]
    size = 127 if which == "exemplar" else 255
    for i, place in enumerate(numbers["pos"]):
        side = context_side(torch.from_numpy(numbers["sz"][i : i + 1]).float())
        side = side if which == "exemplar" else torch.tensor([numbers["s_x_unrounded"][i]]).float()
        window = whole_windows(torch.from_numpy(place[None]).float(), side, size)
        found = crop_whole(image, window, size, mean)[0].permute(1, 2, 0).byte().numpy()
        assert np.array_equal(found[:, :, ::-1], numbers[f"{which}_bgr"][i]), numbers["names"][i]


class Answering:
    """A network that answers what the reference's made-up one answered."""

    masked = True

    def __init__(self, numbers: Numbers, case: str, index: int) -> None:
        self.scores = torch.from_numpy(numbers["cls"][index]).view(1, 2, 5, 25, 25)
        self.boxes = torch.from_numpy(numbers["loc"][index]).view(1, 4, 5, 25, 25)
        key = f"{case}__mask_logits"
        self.logits = torch.from_numpy(numbers[key]).float() if key in numbers else torch.zeros(127, 127)

    def template(self, crops: Tensor) -> Any:
        raise AssertionError

    def search(self, template: Any, crops: Tensor) -> Any:
        return SimpleNamespace(scores=self.scores, boxes=self.boxes)

    def masks(self, response: Any, cells: Tensor) -> Tensor:
        if self.logits.dim() == 2:
            return self.logits[None]
        return self.logits[:, cells[0, 1], cells[0, 2]].view(1, 63, 63)


def before(numbers: Numbers, key: str, step: int | tuple[()], template: Any, mean: Tensor) -> SiameseState:
    """The state that a step of the program began with."""
    position, size = (torch.from_numpy(numbers[f"{key}__{n}_before"][step]).float()[None] for n in ("pos", "sz"))
    return SiameseState(position, size, mean, torch.zeros(1), template)


@pytest.mark.parametrize("case", POSTPROC)
def test_ranking_and_pasting(case: str) -> None:
    """Everything but the network: the cell, the score, the next place and size, and every pixel of the mask."""
    numbers, about = np.load(COMMON / "postproc.npz"), POSTPROC[case]
    height, width = (int(v) for v in numbers["im_hw"])
    t = SiameseTracker(Answering(numbers, case, about["index"]), settings(about), device=CPU)
    if about["effective"]["windowing"] != "cosine":
        t._window = torch.ones_like(t._window)
    state = before(numbers, case, (), (torch.zeros(1, 1),), torch.zeros(1, 3))
    after, found = t.step(state, torch.zeros(height, width, 3, dtype=torch.uint8))
    np.testing.assert_allclose(after.centres[0].numpy(), numbers[f"{case}__pos_after"], atol=1e-4)
    np.testing.assert_allclose(after.sizes[0].numpy(), numbers[f"{case}__sz_after"], atol=1e-4)
    assert float(found.scores[0]) == pytest.approx(float(numbers[f"{case}__score"]), abs=1e-6)
    if f"{case}__mask_bits" in numbers:
        bits = np.unpackbits(numbers[f"{case}__mask_bits"], axis=1)[:, :width]
        inside = check_mask(found, about["effective"]["seg_thr"], bits, most=0)
        check_polygon(found, inside, numbers[f"{case}__ploygon"])


@pytest.fixture(scope="module")
def networks() -> dict[str, SiamMask]:
    made = {}
    for kind in ("sharp", "base"):
        network = SiamMask(refined=kind == "sharp").eval().requires_grad_(False)
        fill(network, renamed(official_state(network)), Path("drawn"))
        made[kind] = network
    return made


def of_run(networks: dict[str, SiamMask], run: tuple[str, str]) -> SiamMask:
    """The network as the run used it: refined, not refined, or for its boxes alone."""
    kind, name = run
    if kind == "sharp" and name in ("davis_norefine", "davis_box"):
        other = SiamMask(refined=False, masks=name != "davis_box").eval().requires_grad_(False)
        known = networks["sharp"].state_dict()
        other.load_state_dict({k: known[k] for k in other.state_dict()})
        return other
    return networks[kind]


@pytest.mark.parametrize(
    "run", [pytest.param(run, marks=() if run in QUICK else pytest.mark.slow, id="-".join(run)) for run in RUNS]
)
def test_steps(networks: dict[str, SiamMask], run: tuple[str, str]) -> None:
    """Each of six steps from the program's own state before it, then all six in a row from the first box."""
    numbers, about = np.load(REFERENCE / f"siammask_{run[0]}" / "track.npz"), RUNS[run]
    frames = [picture(COMMON / "frames" / f"{i:05d}.png") for i in range(7)]
    width = frames[0].shape[1]
    network, key = of_run(networks, run), run[1]
    t = SiameseTracker(network, settings(about), device=CPU)
    centre, size = torch.from_numpy(numbers["init_pos"]).float(), torch.from_numpy(numbers["init_sz"]).float()
    first = t.start(frames[0], Prompts((1,), torch.cat([centre - size / 2, centre + size / 2])[None]))
    following = first
    for step in range(6):
        state = before(numbers, key, step, first.template, first.fill)
        after, found = t.step(state, frames[step + 1])
        np.testing.assert_allclose(after.centres[0].numpy(), numbers[f"{key}__pos_after"][step], atol=1e-3)
        np.testing.assert_allclose(after.sizes[0].numpy(), numbers[f"{key}__sz_after"][step], atol=1e-3)
        assert float(found.scores[0]) == pytest.approx(float(numbers[f"{key}__score"][step]), abs=5e-5)
        if network.masked:
            known = "mask_bits" if int(cv2.__version__.split(".")[0]) >= 5 else "mask_bits_cv4"
            bits = np.unpackbits(numbers[f"{key}__{known}"][step], axis=1)[:, :width]
            inside = check_mask(found, about["effective"]["seg_thr"], bits, most=10)
            check_polygon(found, inside, numbers[f"{key}__ploygon"][step])
        following, _ = t.step(following, frames[step + 1])
        np.testing.assert_allclose(following.centres[0].numpy(), numbers[f"{key}__pos_after"][step], atol=1e-2)
        np.testing.assert_allclose(following.sizes[0].numpy(), numbers[f"{key}__sz_after"][step], atol=1e-2)
