"""What SiamMask and its relatives learn, stage by stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import default_collate

from vossegment.errors import WeightsError
from vossegment.models import MODELS
from vossegment.networks.siammask import SiamMask
from vossegment.training.engine import Trainer
from vossegment.training.library import Library
from vossegment.training.recipes import RECIPES
from vossegment.training.recipes.siammask import BASE, SIAMMASK, SiamMaskRecipe
from vossegment.training.run import Settings, load_stage, stages
from vossegment.training.siammask_task import SiamMaskTask
from vossegment.training.targets import UNKNOWN
from vossegment.weights.load import save_weights
from vossegment.weights.official import write_official

CPU = torch.device("cpu")
FAMILY = [name for name, recipe in RECIPES.items() if isinstance(recipe, SiamMaskRecipe)]
HAS: dict[str, set[str]] = {
    "siammask": {"mask"},
    "siammask_base": {"score", "box", "mask"},
    "siammask_2b": {"mask"},
    "siammask_2b_base": {"score", "mask"},
    "siamrpn": {"score", "box"},
    "siamfc": {"score"},
    "siammask_small": {"mask"},
    "siammask_small_base": {"score", "box", "mask"},
}


def small(name: str) -> SiamMaskRecipe:
    recipe = RECIPES[name]
    assert isinstance(recipe, SiamMaskRecipe)
    return replace(recipe, steps=20, batch=2, mix=replace(recipe.mix, video=0.5, still=0.5))


def built(name: str) -> SiamMask:
    network = MODELS[name].build()
    assert isinstance(network, SiamMask)
    return network


def batch_of(library: Library, recipe: SiamMaskRecipe) -> dict[str, Tensor]:
    samples = SiamMaskTask(recipe).samples(library, 0)
    found: dict[str, Tensor] = default_collate([samples[i] for i in range(recipe.batch)])
    return found


@pytest.mark.parametrize("name", FAMILY)
def test_losses(library: Library, name: str) -> None:
    """Each variant has the parts it is made of; gradients reach its heads, and are finite."""
    recipe, network = small(name), built(name)
    parts = SiamMaskTask(recipe).losses(network, batch_of(library, recipe), step=0, device=CPU)
    assert set(parts) - {"total", "iou"} == HAS[name]
    assert all(torch.isfinite(v) for v in parts.values())
    parts["total"].backward()  # type: ignore[no-untyped-call]
    head = network.refine if network.refine is not None else network.mask or network.score
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in head.parameters())


@pytest.mark.parametrize("name", ["siammask", "siammask_base", "siammask_2b"])
def test_samples(library: Library, name: str) -> None:
    """Masks belong to the positive cells, whose windows lie inside the smaller crop and may leave the larger one."""
    recipe = small(name)
    samples = SiamMaskTask(recipe).samples(library, 3)
    side, cells = recipe.pairs.search, recipe.pairs.response
    for i in range(6):
        pair = samples[i]
        assert pair["search"].shape == (side, side, 3)
        assert pair["labels"].shape == (5, cells, cells)
        count = int((pair["signs"] > 0).sum())
        positive = pair["similar"] == 1 if "2b" in name else pair["labels"].amax(0) == 1
        assert count == min(int(positive.sum()), recipe.pairs.cells)
        for row, column in pair["cells"][:count].tolist():
            assert bool(positive[row, column])
        if side == 143:
            assert not (pair["masks"][:count] == UNKNOWN).any()


def test_the_second_stage_trains_the_masks_alone(library: Library) -> None:
    """A step changes the mask branch and the refinement; all else stands still, batch norms' statistics too."""
    recipe = small("siammask")
    torch.manual_seed(0)
    network = built("siammask")
    trainer = Trainer(network, recipe, SiamMaskTask(recipe), device=CPU, seed=0)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    trainer._rates()
    trainer._step(batch_of(library, recipe))
    changed = {k.split(".")[0] for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"mask", "refine"}


def test_stages(tmp_path: Path) -> None:
    """The first in a folder of its own, unless it is done or something else is begun from; one log."""
    plain = Settings(tmp_path, None, None, CPU)
    (first, of_first), (second, of_second) = stages(SIAMMASK, plain)
    assert (first, second) == (BASE, SIAMMASK)
    assert of_first.out == tmp_path / "siammask_base"
    assert of_second.init == tmp_path / "siammask_base" / "weights.safetensors"
    assert of_first.log == of_second.log == tmp_path / "log.jsonl"
    assert [r.name for r, _ in stages(SIAMMASK, replace(plain, init=tmp_path / "any"))] == ["siammask"]
    (tmp_path / "checkpoint.pt").touch()
    assert [r.name for r, _ in stages(SIAMMASK, replace(plain, resume=True))] == ["siammask"]


@pytest.mark.parametrize("kind", ["ours", "official"])
def test_the_second_stage_begins_at_the_first(tmp_path: Path, kind: str) -> None:
    """All that both have is taken over, from an official checkpoint too; what only the second has stays as drawn;
    other weights are refused."""
    torch.manual_seed(0)
    first, second = built("siammask_base"), built("siammask")
    if kind == "ours":
        save_weights(first, tmp_path / "a", name="siammask_base", about={}, exact=True)
    else:
        write_official(first, tmp_path / "a")
    drawn = {k: v.clone() for k, v in second.state_dict().items()}
    load_stage(second, tmp_path / "a", SIAMMASK)
    known = first.state_dict()
    for key, value in second.state_dict().items():
        assert torch.equal(value, known[key] if key in known else drawn[key])
    save_weights(built("siamfc"), tmp_path / "b.safetensors", name="siamfc", about={})
    with pytest.raises(WeightsError, match="siamfc"):
        load_stage(second, tmp_path / "b.safetensors", SIAMMASK)
