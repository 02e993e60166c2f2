"""The losses against their formulas in plain numbers."""

from __future__ import annotations

import math

import pytest
import torch

from vossegment.training.losses import box_loss, hardest, mask_loss, score_loss, segmentation_loss, total_finite
from vossegment.training.targets import UNKNOWN


def scores_and_labels(positives: int, negatives: int) -> tuple[torch.Tensor, torch.Tensor]:
    scores = torch.randn(2, 2, 5, 25, 25, dtype=torch.float64)
    labels = torch.full((2 * 5 * 25 * 25,), -1, dtype=torch.int8)
    order = torch.randperm(len(labels))
    labels[order[:positives]] = 1
    labels[order[positives : positives + negatives]] = 0
    return scores, labels.view(2, 5, 25, 25)


@pytest.mark.parametrize(("positives", "negatives"), [(0, 0), (0, 9), (4, 0), (4, 9), (1, 60)])
def test_score_loss(positives: int, negatives: int) -> None:
    """Half the mean over positives and half the mean over negatives; an empty side counts nothing."""
    scores, labels = scores_and_labels(positives, negatives)
    sums = [0.0, 0.0]
    for n, a, y, x in (labels >= 0).nonzero().tolist():
        side = int(labels[n, a, y, x])
        right, wrong = float(scores[n, side, a, y, x]), float(scores[n, 1 - side, a, y, x])
        sums[side] += math.log(1 + math.exp(wrong - right))
    expected = 0.5 * sums[0] / max(1, negatives) + 0.5 * sums[1] / max(1, positives)
    assert float(score_loss(scores, labels)) == pytest.approx(expected)


@pytest.mark.parametrize("left", [0, 3, 48, 500])
def test_hardest(left: int) -> None:
    """Every positive stays; of the negatives only those that look most like the target, as many as there are."""
    scores = torch.randn(2, 2, 5, 25, 25)
    every = torch.ones(2, 5 * 25 * 25, dtype=torch.int8)
    every[:, 1000:2000] = -1
    every[:, :left] = 0
    every = every.view(2, 5, 25, 25)
    labels = hardest(scores, every, negatives=48)
    assert torch.equal(labels == 1, every == 1)
    likeness = scores[:, 1] - scores[:, 0]
    for n in range(2):
        kept, spared = labels[n] == 0, (every[n] == 0) & (labels[n] != 0)
        assert int(kept.sum()) == min(48, left)
        assert bool((every[n][kept] == 0).all())
        if bool(spared.any()):
            assert float(likeness[n][kept].min()) >= float(likeness[n][spared].max())


@pytest.mark.parametrize("positives", [0, 1, 5])
def test_box_loss(positives: int) -> None:
    """Smooth L1 summed over the coordinates, mean over the positive anchors alone."""
    _, labels = scores_and_labels(positives, 20)
    boxes, deltas = (torch.randn(2, 4, 5, 25, 25, dtype=torch.float64) for _ in range(2))
    expected, beta = 0.0, 0.11
    for n, a, y, x in (labels == 1).nonzero().tolist():
        for d in (boxes - deltas)[n, :, a, y, x].abs().tolist():
            expected += d - beta / 2 if d >= beta else d * d / (2 * beta)
    assert float(box_loss(boxes, deltas, labels)) == pytest.approx(expected / max(1, positives))


def mask_case() -> tuple[torch.Tensor, torch.Tensor]:
    logits = torch.randn(3, 9, 9, dtype=torch.float64) * 3
    targets = (torch.rand(3, 9, 9) < 0.4).to(torch.uint8)
    targets[:, :3] = UNKNOWN
    return logits, targets


def test_logistic_mask_loss() -> None:
    """Mean over counted cells of the mean over known pixels of log(1 + exp(-y m)) with y = +-1 (Eq. 4)."""
    logits, targets = mask_case()
    each = []
    for m, t in zip(logits[:2].tolist(), targets[:2].tolist(), strict=True):
        pixels = [
            math.log(1 + math.exp(-(1 if y == 1 else -1) * v))
            for row, ys in zip(m, t, strict=True)
            for v, y in zip(row, ys, strict=True)
            if y != UNKNOWN
        ]
        assert len(pixels) == 54
        each.append(sum(pixels) / len(pixels))
    found = mask_loss(logits, targets, torch.tensor([True, True, False]))
    assert float(found.logistic) == pytest.approx(sum(each) / 2, rel=1e-6)


def test_iou_to_watch() -> None:
    """The share of shared pixels where the logit is above 0, known pixels only."""
    logits, targets = mask_case()
    shared = ((logits[0] > 0) & (targets[0] == 1)).sum()
    either = (((logits[0] > 0) & (targets[0] != UNKNOWN)) | (targets[0] == 1)).sum()
    found = mask_loss(logits, targets, torch.tensor([True, False, False]))
    assert float(found.iou) == pytest.approx(float(shared / either), rel=1e-6)


@pytest.mark.parametrize("wrong", [False, True])
def test_dice_ends(wrong: bool) -> None:
    """A sure and right mask costs next to nothing, its opposite nearly one."""
    targets = torch.zeros(1, 127, 127, dtype=torch.uint8)
    targets[0, :60] = 1
    logits = (targets.float() * 2 - 1) * (-30 if wrong else 30)
    dice = float(mask_loss(logits, targets, torch.tensor([True])).dice)
    assert dice == pytest.approx(1 if wrong else 0, abs=0.01)


def test_unknown_pixels_do_not_count() -> None:
    """What the network says outside the crop changes no part of the loss and gets no gradient."""
    logits, targets = mask_case()
    other = logits.clone()
    other[:, :3] = 50
    counted = torch.ones(3, dtype=torch.bool)
    for a, b in zip(mask_loss(logits, targets, counted), mask_loss(other, targets, counted), strict=True):
        assert float(a) == pytest.approx(float(b))
    other.requires_grad_()
    found = mask_loss(other, targets, counted)
    (found.logistic + found.dice).backward()  # type: ignore[no-untyped-call]
    assert other.grad is not None
    assert not other.grad[:, :3].any()
    assert other.grad[:, 3:].all()


@pytest.mark.parametrize("counted", [[False, False, False], [False, True, False]])
def test_uncounted_cells(counted: list[bool]) -> None:
    """Cells that are not counted cost nothing; where none counts, the loss is 0 and its gradient finite."""
    logits, targets = mask_case()
    logits.requires_grad_()
    found = mask_loss(logits, targets, torch.tensor(counted))
    (found.logistic + found.dice).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert [bool(g.any()) for g in logits.grad] == counted
    if not any(counted):
        assert [float(part.detach()) for part in found] == [0, 0, 0]


def test_a_window_wholly_outside() -> None:
    """A window without one known pixel costs nothing and breaks nothing."""
    logits = torch.randn(1, 9, 9, requires_grad=True)
    found = mask_loss(logits, torch.full((1, 9, 9), UNKNOWN, dtype=torch.uint8), torch.tensor([True]))
    assert float(found.logistic.detach()) == 0
    (found.logistic + found.dice).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_gradients_stay_finite(size: float) -> None:
    """Absurdly sure answers, wrong ones too, have finite losses and gradients."""
    scores, labels = scores_and_labels(4, 9)
    scores = (scores.sign() * size).float().requires_grad_()
    logits, targets = mask_case()
    logits = (logits.sign() * size).float().requires_grad_()
    boxes = torch.full((2, 4, 5, 25, 25), size, requires_grad=True)
    found = mask_loss(logits, targets, torch.ones(3, dtype=torch.bool))
    loss = score_loss(scores, labels) + box_loss(boxes, torch.zeros_like(boxes), labels) + found.logistic + found.dice
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    for leaf in (scores, logits, boxes):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize(
    ("value", "fine"), [(0.0, True), (9e3, True), (2e4, False), (math.inf, False), (math.nan, False)]
)
def test_total_finite(value: float, fine: bool) -> None:
    """A step is taken on a finite loss of sane size only."""
    assert total_finite(torch.tensor(value)) is fine


def disc(size: int = 64) -> torch.Tensor:
    along = torch.arange(size) - size / 2
    return ((along[:, None] ** 2 + along**2) < (size / 3) ** 2).float()


@pytest.mark.parametrize("sure", [1.0, 30.0])
def test_segmentation_of_a_right_mask(sure: float) -> None:
    """Right everywhere the IoU is 1; sure of it too, the loss is nothing."""
    truths = torch.stack([disc(), disc().flip(0)])
    found = segmentation_loss((truths * 2 - 1) * sure, truths)
    assert float(found.iou) == 1
    assert float(found.logistic) == pytest.approx(math.log(1 + math.exp(-sure)), abs=1e-6)
    assert (float(found.dice) < 1e-3) is (sure > 10)


def test_segmentation_of_a_wrong_mask() -> None:
    """The opposite of the truth shares nothing with it, and costs as much as it is sure."""
    truths = disc()[None]
    found = segmentation_loss((1 - truths * 2) * 30, truths)
    assert float(found.iou) == 0
    assert float(found.logistic) == pytest.approx(30)
    assert float(found.dice) == pytest.approx(1 - 20 / (64 * 64 + 20), rel=1e-4)


@pytest.mark.parametrize("claimed", [0, 1, 200])
def test_segmentation_of_nothing(claimed: int) -> None:
    """Where nothing is, nothing is right; the first pixel claimed makes the IoU 0, and each one costs."""
    logits = torch.full((1, 32, 32), -30.0)
    logits.view(-1)[:claimed] = 30
    found = segmentation_loss(logits, torch.zeros(1, 32, 32))
    assert float(found.iou) == (claimed == 0)
    assert float(found.logistic) == pytest.approx(30 * claimed / 1024, abs=1e-6)
    assert float(found.dice) == pytest.approx(1 - 20 / (claimed + 20), abs=1e-6)


def test_segmentation_by_hand() -> None:
    """Two samples of 2 x 2 pixels, one truth soft at its edge: means over pixels and over samples."""
    logits = torch.tensor([[[0.0, math.log(3)], [-math.log(3), 0.0]], [[math.log(3)] * 2] * 2], requires_grad=True)
    truths = torch.tensor([[[1.0, 0.75], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]])
    found = segmentation_loss(logits, truths)
    # Probabilities 1/2, 3/4, 1/4, 1/2 and four times 3/4.
    half, likely, unlikely = math.log(2), math.log(4 / 3), math.log(4)
    first = (half + 0.75 * likely + 0.25 * unlikely + likely + half) / 4
    second = (2 * unlikely + 2 * likely) / 4
    dice = [1 - (2 * (0.5 + 0.75 * 0.75) + 20) / (2.0 + 1.75 + 20), 1 - (2 * 1.5 + 20) / (3 + 2 + 20)]
    assert float(found.logistic.detach()) == pytest.approx((first + second) / 2)
    assert float(found.dice.detach()) == pytest.approx(sum(dice) / 2)
    assert float(found.iou) == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert not found.iou.requires_grad
    (found.logistic + found.dice).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.all()


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_segmentation_gradients_stay_finite(size: float) -> None:
    """Absurdly sure answers have finite losses and gradients, with an empty truth among them too."""
    logits = torch.full((2, 8, 8), size, requires_grad=True)
    truths = torch.zeros(2, 8, 8)
    truths[0, :4] = 1
    found = segmentation_loss(logits, truths)
    (found.logistic + found.dice).backward()  # type: ignore[no-untyped-call]
    assert all(torch.isfinite(part) for part in found)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
