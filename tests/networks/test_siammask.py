"""SiamMask gives the official program's numbers, with weights that anyone can draw again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from official_recipe import official_state
from torch import Tensor

from vossegment.networks.siammask import Branch, Response, SiamMask
from vossegment.weights.official import fill, renamed

Numbers = Mapping[str, NDArray[Any]]
GOLDEN = Path(__file__).parents[1] / "golden" / "siammask_network.npz"
REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference"
whole = pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs the numbers of shared/reference")
HEADS = {"rtol": 0.0, "atol": 2e-4}
"""The reference's README, section 7."""


def drawn(*, refined: bool) -> SiamMask:
    """The network with the reference's weights."""
    network = SiamMask(refined=refined).eval().requires_grad_(False)
    fill(network, renamed(official_state(network)), Path("drawn"))
    return network


@pytest.fixture(scope="module")
def sharp() -> SiamMask:
    return drawn(refined=True)


@pytest.fixture(scope="module")
def base() -> SiamMask:
    return drawn(refined=False)


def crops(bgr: NDArray[Any]) -> Tensor:
    """``(S, S, 3)`` or ``(N, S, S, 3)`` BGR -> ``(N, 3, S, S)`` RGB."""
    rgb = torch.from_numpy(np.ascontiguousarray(bgr[..., ::-1])).float()
    return (rgb if rgb.dim() == 4 else rgb[None]).permute(0, 3, 1, 2)


def close(found: Tensor, expected: NDArray[Any], **tolerance: float) -> None:
    torch.testing.assert_close(found, torch.from_numpy(expected).to(found.dtype), **(tolerance or HEADS))


def looked(network: SiamMask, numbers: Numbers) -> tuple[Response, Tensor]:
    """The response on the reference's crops, and the masks at its five cells."""
    response = network.search(network.template(crops(numbers["exemplar_bgr"])), crops(numbers["search_bgr"]))
    cells = torch.tensor([[0, *place] for place in numbers["positions_yx"].tolist()])
    return response, network.masks(response, cells)


@pytest.mark.parametrize("refined", [True, False])
def test_a_few_of_the_numbers(sharp: SiamMask, base: SiamMask, refined: bool) -> None:
    """Heads and masks, refined and not, in the small slice that lies here."""
    golden = np.load(GOLDEN)
    response, masks = looked(sharp if refined else base, golden)
    close(response.scores.reshape(10, 25, 25)[:, ::6, ::6], golden["rpn_cls"])
    close(response.boxes.reshape(20, 25, 25)[:, ::6, ::6], golden["rpn_loc"])
    close(masks[:, ::9, ::9], golden["refine_logits" if refined else "mask_logits"])


@whole
def test_all_of_the_numbers(sharp: SiamMask) -> None:
    """The trunk's levels, the adjusted search, all heads and scores, both kinds of mask."""
    numbers = np.load(REFERENCE / "siammask_sharp" / "network.npz")
    response, masks = looked(sharp, numbers)
    features = {"rtol": 1e-4, "atol": 2e-4}
    close(response.maps.c1[0, :4], numbers["p0_c0_3"], **features)
    for level, name in ((response.maps.c2, "p1"), (response.maps.c3, "p2"), (response.maps.c4, "p3")):
        close(level[0, :8], numbers[f"{name}_c0_7"], **features)
        close(level[0].mean((1, 2)), numbers[f"{name}_chmean"], **features)
    close(response.adjusted[0, :8], numbers["xf_c0_7"], **features)
    close(response.scores.reshape(10, 25, 25), numbers["rpn_cls"])
    close(response.boxes.reshape(20, 25, 25), numbers["rpn_loc"])
    close(response.scores.softmax(1)[0, 1].flatten(), numbers["score"], rtol=0.0, atol=5e-5)
    close(masks, numbers["refine_logits"])


@whole
@pytest.mark.parametrize("refined", [True, False])
def test_training_crops(sharp: SiamMask, base: SiamMask, refined: bool) -> None:
    """Crops of 143 pixels give 3x3 cells, whose windows of the maps do not reach over the border; two pairs."""
    network = sharp if refined else base
    numbers = np.load(REFERENCE / f"siammask_{'sharp' if refined else 'base'}" / "network.npz")
    template = network.template(crops(numbers["batch_exemplar_bgr"]))
    response = network.search(template, crops(numbers["batch_search143_bgr"]))
    close(response.scores.reshape(2, 10, 3, 3), numbers["train143_cls"])
    close(response.boxes.reshape(2, 20, 3, 3), numbers["train143_loc"])
    if refined:
        cells = torch.tensor([(b, y, x) for b in range(2) for y in range(3) for x in range(3)])
        masks = network.masks(response, cells)
        close(masks.mean((1, 2)), numbers["train143_refine_mean"])
        close(masks[numbers["train143_refine_rows"]], numbers["train143_refine_logits"])
    else:
        close(network.masks(response, torch.tensor([[1, 1, 2]]))[0], numbers["train143_mask_logits_b1_y1_x2"])


def test_a_mask_of_few_cells_is_that_of_all(sharp: SiamMask) -> None:
    """The mask branch of single cells is the dense one, read there."""
    golden = np.load(GOLDEN)
    response, _ = looked(sharp, golden)
    assert sharp.mask is not None
    dense = sharp.mask(response.kernels, response.adjusted)
    cells = torch.tensor([[0, 0, 0], [0, 24, 3], [0, 12, 24]])
    few = sharp.mask.at_cells(response.kernels, response.adjusted, cells, answered=True)
    torch.testing.assert_close(few, dense[0, :, cells[:, 1], cells[:, 2]].T, rtol=0, atol=2e-4)


def test_in_training_the_norms_see_every_cell() -> None:
    """With one cell asked for, the mask branch's batch norms learn from all of them."""
    torch.manual_seed(0)
    branch = Branch(9).train()
    kernel, adjusted = torch.randn(1, 256, 5, 5), torch.randn(1, 256, 9, 9)
    found = branch.at_cells(kernel, adjusted, torch.tensor([[0, 1, 2]]), answered=True)
    assert found.shape == (1, 9)
    once = copy.deepcopy(branch).eval()
    again = Branch(9).train()
    again.load_state_dict(
        {**branch.state_dict(), **{k: v for k, v in Branch(9).state_dict().items() if "running" in k}}
    )
    again(kernel, adjusted)
    torch.testing.assert_close(once.search[1].running_mean, again.search[1].running_mean)
    torch.testing.assert_close(once.head[1].running_var, again.head[1].running_var)


@pytest.mark.parametrize(("anchors", "masks"), [(True, True), (False, True), (True, False), (False, False)])
def test_variants(anchors: bool, masks: bool) -> None:
    """3-branch, 2-branch, SiamRPN and SiamFC: what they have, and its shapes."""
    with torch.device("meta"):
        network = SiamMask(anchors=anchors, masks=masks)
        response = network.search(network.template(torch.empty(2, 3, 127, 127)), torch.empty(2, 3, 255, 255))
    assert response.scores.shape == ((2, 2, 5, 25, 25) if anchors else (2, 1, 1, 25, 25))
    assert response.boxes.shape == (2, 4, 5 if anchors else 0, 25, 25)
    assert response.kernels.shape == (2, 256 if masks else 0, *((5, 5) if masks else response.kernels.shape[2:]))
    if not masks:
        with pytest.raises(ValueError, match="no mask branch"):
            network.masks(response, torch.zeros(1, 3, dtype=torch.int64))
