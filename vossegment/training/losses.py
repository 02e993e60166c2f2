"""The multitask loss of E3SN (Eq. 3, 4) and its parts."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.training.targets import UNKNOWN


def score_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over positive and negative anchors, half each; an empty side counts nothing.

    ``scores`` ``(N, 2, 5, 25, 25)`` logits, ``labels`` ``(N, 5, 25, 25)`` 1, 0, -1.
    """
    each = F.cross_entropy(scores, labels.clamp(min=0).long(), reduction="none")
    positive, negative = labels == 1, labels == 0
    return 0.5 * _mean(each, positive) + 0.5 * _mean(each, negative)


def hardest(scores: Tensor, all_labels: Tensor, *, negatives: int) -> Tensor:
    """Labels in which each sample keeps its positives and the ``negatives`` that look most like the target [ours].

    ``scores`` ``(N, 2, 5, 25, 25)`` logits, ``all_labels`` ``(N, 5, 25, 25)`` -> labels of the same shape. Random
    negatives are nearly all background; what a tracker jumps to is the look-alike among them.
    """
    likeness = (scores[:, 1] - scores[:, 0]).detach().flatten(1)
    flat = all_labels.flatten(1)
    chosen = likeness.masked_fill(flat != 0, -torch.inf).topk(negatives, dim=1).indices
    labels = torch.where(flat == 1, flat, torch.full_like(flat, -1))
    kept = torch.gather(flat, 1, chosen)
    return labels.scatter(1, chosen, torch.where(kept == 0, kept, torch.gather(labels, 1, chosen))).view_as(all_labels)


def box_loss(boxes: Tensor, deltas: Tensor, labels: Tensor) -> Tensor:
    """Smooth L1 summed over dx, dy, dw, dh, mean over the positive anchors (E3SN 3.4, as SiamRPN)."""
    each = F.smooth_l1_loss(boxes, deltas, reduction="none", beta=0.11).sum(1)
    return _mean(each, labels == 1)


def weighted_box_loss(boxes: Tensor, deltas: Tensor, labels: Tensor) -> Tensor:
    """L1 summed over dx, dy, dw, dh, each sample's positive anchors weighing as much as another's, over the samples
    (SiamMask's code; its paper says smooth L1).

    ``boxes`` and ``deltas`` ``(N, 4, 5, R, R)``, ``labels`` ``(N, 5, R, R)``.
    """
    positive = (labels == 1).to(boxes.dtype)
    weight = positive / (positive.sum((1, 2, 3), keepdim=True) + 1e-6)
    return ((boxes - deltas).abs().sum(1) * weight).sum() / len(boxes)


def window_loss(logits: Tensor, targets: Tensor) -> MaskLoss:
    """Mean of log(1 + exp(-c m)) over the windows of positive cells (SiamMask Eq. 3, as its code has it): logits
    ``(M, s, s)`` are enlarged to the targets' ``(M, 127, 127)``, uint8 1, 0 or UNKNOWN, whose pixels count ln 2.

    No windows, no loss.
    """
    if logits.shape[1:] != targets.shape[1:]:
        logits = F.interpolate(logits[:, None], size=targets.shape[1:], mode="bilinear", align_corners=True)[:, 0]
    signs = torch.where(targets == UNKNOWN, 0.0, torch.where(targets == 1, 1.0, -1.0))
    logistic = F.softplus(-signs * logits).mean() if len(logits) else logits.sum()
    iou = _overlaps(logits.detach() >= 0, targets == 1)
    return MaskLoss(logistic, logistic.new_zeros(()), iou.mean() if len(iou) else logistic.new_zeros(()))


def similarity_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean logistic loss over positive and negative cells, half each (SiamFC; L_sim of SiamMask's two branches).

    ``scores`` ``(N, R, R)`` logits, ``labels`` ``(N, R, R)`` 1 or 0, -1 not counted.
    """
    each = F.binary_cross_entropy_with_logits(scores, labels.clamp(min=0).to(scores.dtype), reduction="none")
    return 0.5 * _mean(each, labels == 1) + 0.5 * _mean(each, labels == 0)


class MaskLoss(NamedTuple):
    """``logistic`` and ``dice`` means over the counted cells, and the ``iou`` to watch."""

    logistic: Tensor
    dice: Tensor
    iou: Tensor


def mask_loss(logits: Tensor, targets: Tensor, counted: Tensor) -> MaskLoss:
    """``logits`` ``(M, 127, 127)``, ``targets`` uint8 1, 0 or UNKNOWN, ``counted`` ``(M,)`` bool.

    The logistic part is Eq. 4's sum over positive cells of the mean over known pixels; dice is [ours].
    """
    known = (targets != UNKNOWN).float()
    truth = (targets == 1).float()
    pixels = known.sum((1, 2)).clamp(min=1)
    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    logistic = (each * known).sum((1, 2)) / pixels
    soft = logits.sigmoid() * known
    dice = 1 - (2 * (soft * truth).sum((1, 2)) + 20) / ((soft + truth).sum((1, 2)) + 20)
    iou = _overlaps((logits.detach() > 0) & (targets != UNKNOWN), targets == 1)
    return MaskLoss(_mean(logistic, counted), _mean(dice, counted), _mean(iou, counted))


def _overlaps(found: Tensor, truth: Tensor, *, of_none: float = 0.0) -> Tensor:
    """IoU of masks ``(N, S, S)`` bool, ``(N,)``; ``of_none`` where both are empty."""
    union = (found | truth).sum((1, 2))
    return torch.where(union > 0, (found & truth).sum((1, 2)) / union.clamp(min=1), of_none)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Mean of ``values`` where told, 0 if nowhere; no branch on the data."""
    weight = where.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp(min=1)


def total_finite(loss: Tensor) -> bool:
    """Whether a step may be taken on this loss."""
    return bool(torch.isfinite(loss)) and float(loss.detach()) < 1e4


def segmentation_loss(logits: Tensor, truths: Tensor) -> MaskLoss:
    """``logits`` and ``truths`` ``(N, S, S)``, the latter 0..1: mean over the samples. An empty truth counts: any
    pixel claimed there is wrong."""
    logistic = F.binary_cross_entropy_with_logits(logits, truths)
    soft = logits.sigmoid()
    dice = 1 - (2 * (soft * truths).sum((1, 2)) + 20) / ((soft + truths).sum((1, 2)) + 20)
    iou = _overlaps(logits.detach() > 0, truths > 0.5, of_none=1.0)
    return MaskLoss(logistic, dice.mean(), iou.mean())
