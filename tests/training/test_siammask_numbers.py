"""Anchor targets and losses give the numbers of SiamMask's program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from numpy.typing import NDArray

from vossegment.tracking.anchors import MASK_FIRST, anchor_grid
from vossegment.training.engine import rate_factor
from vossegment.training.losses import score_loss, weighted_box_loss, window_loss
from vossegment.training.recipes.siammask import BASE, SIAMMASK, SIAMRPN, SiamMaskRecipe
from vossegment.training.targets import anchor_targets, mask_windows

FILE = Path(__file__).parents[2].parent / "shared" / "reference" / "siammask_training.npz"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="needs the numbers of shared/reference")
CASES = (
    sorted({key.split("__")[0] for key in np.load(FILE).files if key.endswith("__overlap")}) if FILE.is_file() else []
)


@pytest.fixture(scope="module")
def numbers() -> dict[str, NDArray[Any]]:
    return dict(np.load(FILE))


def order(numbers: dict[str, NDArray[Any]]) -> list[str]:
    """The cases in the order of their boxes."""
    return list(dict.fromkeys(key.split("__")[0] for key in numbers if key.endswith("__overlap")))


@pytest.mark.parametrize("case", CASES)
def test_anchor_targets(numbers: dict[str, NDArray[Any]], case: str) -> None:
    """Overlaps, labels before sampling and deltas are the program's; sampling keeps as many, among the same."""
    i = order(numbers).index(case)
    x0, y0, x1, y1 = (float(v) for v in numbers["target_boxes_x1y1x2y2"][i])
    response, search = int(numbers["target_size"][i]), int(numbers["target_search_size"][i])
    # Its pixels count from the centre of the first one.
    box = ((x0 + x1) / 2 + 0.5, (y0 + y1) / 2 + 0.5, x1 - x0, y1 - y0)
    found = anchor_targets(box, default_rng(0), anchors=anchor_grid(response, search))
    np.testing.assert_allclose(found.overlaps, numbers[f"{case}__overlap"], atol=1e-5)
    assert np.array_equal(found.all_labels, numbers[f"{case}__cls_before_sampling"])
    np.testing.assert_allclose(found.deltas, numbers[f"{case}__delta"], atol=1e-5)
    sampled = numbers[f"{case}__cls_seed1234"]
    for label in (0, 1):
        assert np.count_nonzero(found.labels == label) == np.count_nonzero(sampled == label)
        assert (found.all_labels[found.labels == label] == label).all()


def test_a_pair_of_two_objects(numbers: dict[str, NDArray[Any]]) -> None:
    """As many negatives as the program draws, from the middle cells; nothing positive."""
    expected = numbers["target_neg_pair__cls_seed99"]
    found = anchor_targets(None, default_rng(0)).labels
    assert np.count_nonzero(found == 0) == np.count_nonzero(expected == 0)
    assert not (found == 1).any()
    for labels in (found, expected):
        _, rows, columns = np.nonzero(labels == 0)
        assert 9 <= min(rows.min(), columns.min()) <= max(rows.max(), columns.max()) <= 15


def test_score_loss(numbers: dict[str, NDArray[Any]]) -> None:
    """Value and gradient, and the value where nothing is positive."""
    scores = torch.from_numpy(numbers["loss_cls_pred"]).view(2, 2, 5, 25, 25).requires_grad_()
    value = score_loss(scores, torch.from_numpy(numbers["loss_cls_label"]))
    assert float(value.detach()) == pytest.approx(float(numbers["loss_cls_value"]), rel=1e-5)
    value.backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    np.testing.assert_allclose(scores.grad.view(2, 10, 25, 25), numbers["loss_cls_grad"], rtol=1e-4, atol=1e-7)
    alone = score_loss(scores.detach(), torch.from_numpy(numbers["loss_cls_label_no_positive"]))
    assert float(alone) == pytest.approx(float(numbers["loss_cls_value_no_positive"]), rel=1e-5)


def test_box_loss(numbers: dict[str, NDArray[Any]]) -> None:
    """Value and gradient; the weights are those of the positive anchors."""
    weight = torch.from_numpy(numbers["loss_loc_weight"])
    boxes = torch.from_numpy(numbers["loss_loc_pred"]).view(2, 4, 5, 25, 25).requires_grad_()
    value = weighted_box_loss(boxes, torch.from_numpy(numbers["loss_loc_label"]), (weight > 0).to(torch.int8))
    assert float(value.detach()) == pytest.approx(float(numbers["loss_loc_value"]), rel=1e-5)
    value.backward()  # type: ignore[no-untyped-call]
    assert boxes.grad is not None
    np.testing.assert_allclose(boxes.grad.view(2, 20, 25, 25), numbers["loss_loc_grad"], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["base", "border", "sharp"])
def test_mask_loss(numbers: dict[str, NDArray[Any]], kind: str) -> None:
    """Value, overlap and gradient: 63x63 logits enlarged, windows that reach outside, refined ones without padding."""
    of = "sharp" if kind == "sharp" else "base"
    logits = torch.from_numpy(numbers[f"loss_mask_{of}_logits"]).float()
    if kind == "sharp":
        rows = numbers["loss_mask_sharp_rows"].astype(np.int64)
        cells, side, first = np.stack([rows // 9, rows % 9 // 3, rows % 3], 1), 127, 0
    else:
        cells, side, first = numbers[f"loss_mask_{kind}_positions_b_y_x"].astype(np.int64), 63, MASK_FIRST
    logits = logits[: len(cells)].view(-1, side, side).requires_grad_()
    masks = np.where(numbers[f"loss_mask_{of}_target"][:, 0] > 0, 255, 0).astype(np.uint8)
    windows = np.concatenate([mask_windows(masks[b], np.array([[y, x]]), first=first) for b, y, x in cells])
    found = window_loss(logits, torch.from_numpy(windows))
    assert float(found.logistic.detach()) == pytest.approx(float(numbers[f"loss_mask_{kind}_value"]), rel=1e-5)
    assert float(found.iou) == pytest.approx(float(numbers[f"loss_mask_{kind}_iou_mean_at5_at7"][0]), rel=1e-4)
    if kind != "border":
        found.logistic.backward()  # type: ignore[no-untyped-call]
        expected = numbers["loss_mask_base_grad_first4" if kind == "base" else "loss_mask_sharp_grad_row0"]
        assert logits.grad is not None
        got = logits.grad.flatten(1).numpy()[:4] if kind == "base" else logits.grad[0].flatten().numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("key", "recipe"),
    [("siammask_base", BASE), ("siammask_sharp", SIAMMASK), ("siamrpn_resnet", SIAMRPN)],
)
def test_learning_rates(numbers: dict[str, NDArray[Any]], key: str, recipe: SiamMaskRecipe) -> None:
    """Of each epoch, from its first step to its last."""
    for epoch, rate in enumerate(numbers[f"lr_{key}"]):
        first, end = (-(-k * recipe.steps // recipe.epochs) for k in (epoch, epoch + 1))
        for step in (first, end - 1):
            assert recipe.rate * rate_factor(recipe, step) == pytest.approx(rate, rel=1e-6)
