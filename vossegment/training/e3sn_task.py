"""What E3SN learns: score, box and mask of a pair, in one stage (E3SN Eq. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from vossegment.networks.e3sn import E3SN
from vossegment.training.clips import ClipMaker
from vossegment.training.library import Library
from vossegment.training.losses import box_loss, hardest, mask_loss, score_loss
from vossegment.training.pairs import PairDataset
from vossegment.training.recipes.e3sn import E3SNRecipe
from vossegment.training.tensors import half, images

HARD_NEGATIVES = 48
"""Hardest negatives a crop: as many as are drawn at random at least (64 - 16)."""


@dataclass(frozen=True)
class E3SNTask:
    """See ``training.engine.Task``."""

    recipe: E3SNRecipe

    def samples(self, library: Library, seed: int) -> PairDataset:
        r = self.recipe
        return PairDataset(ClipMaker(library, r.mix), r.pairs, pairs=r.steps * r.batch, seed=seed)

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        r, net = self.recipe, cast(E3SN, network)
        trunk = [p for p in net.trunk.parameters() if p.requires_grad]
        mask = list(net.refine.parameters())
        special = {id(p) for p in (*net.trunk.parameters(), *mask, net.level_weights)}
        heads = [p for p in net.parameters() if id(p) not in special]
        return [
            {"params": heads, "lr": r.rate},
            {"params": mask, "lr": r.rate * r.mask_factor},
            {"params": trunk, "lr": r.rate * r.trunk_factor},
            {"params": [net.level_weights], "lr": r.rate * r.level_factor, "weight_decay": 0.0},
        ]

    def still(self, network: nn.Module, *, step: int) -> list[nn.Module]:
        return []

    def losses(
        self, network: nn.Module, batch: Mapping[str, Tensor], *, step: int, device: torch.device
    ) -> dict[str, Tensor]:
        r, net = self.recipe, cast(E3SN, network)
        cells, signs = batch["cells"].to(device), batch["signs"].to(device)
        n, k, _ = cells.shape
        items = torch.arange(n, device=device)[:, None, None].expand(n, k, 1)
        with half(device):
            response = net.search(net.template(images(batch["template"], device)), images(batch["search"], device))
            logits = net.masks(response, torch.cat([items, cells], 2).view(n * k, 3))
        labels = batch["labels"].to(device)
        scores = response.scores.float()
        hard = 0 <= r.hard_from <= step
        counted_anchors = hardest(scores, batch["all_labels"].to(device), negatives=HARD_NEGATIVES) if hard else labels
        score = score_loss(scores, counted_anchors)
        box = box_loss(response.boxes.float(), batch["deltas"].to(device), labels)
        counted = (signs != 0 if r.train_negative_masks else signs > 0).view(-1)
        mask = mask_loss(logits.float(), batch["masks"].to(device).flatten(0, 1), counted)
        total = r.loss_score * score + r.loss_box * box + r.loss_mask * mask.logistic + r.loss_dice * mask.dice
        return {
            "total": total,
            "score": score,
            "box": box,
            "mask": mask.logistic,
            "dice": mask.dice,
            "iou": mask.iou,
        }
