"""What SiamMask and its relatives learn: scores and boxes of anchors, or a similarity; masks of positive cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from vossegment.networks.siammask import SiamMask
from vossegment.training.clips import ClipMaker
from vossegment.training.library import Library
from vossegment.training.losses import score_loss, similarity_loss, weighted_box_loss, window_loss
from vossegment.training.pairs import PairDataset
from vossegment.training.recipes.siammask import SiamMaskRecipe
from vossegment.training.tensors import half, images


@dataclass(frozen=True)
class SiamMaskTask:
    """See ``training.engine.Task``."""

    recipe: SiamMaskRecipe

    def samples(self, library: Library, seed: int) -> PairDataset:
        r = self.recipe
        return PairDataset(ClipMaker(library, r.mix), r.pairs, pairs=r.steps * r.batch, seed=seed)

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        r, net = self.recipe, cast(SiamMask, network)
        trunk = [p for p in net.trunk.parameters() if p.requires_grad]
        resting = {id(p) for module in (net.trunk, *self.still(net, step=0)) for p in module.parameters()}
        heads = [p for p in net.parameters() if id(p) not in resting]
        groups = [{"params": heads, "lr": r.rate}]
        return groups + ([{"params": trunk, "lr": r.rate * r.trunk_factor}] if trunk else [])

    def still(self, network: nn.Module, *, step: int) -> list[nn.Module]:
        """In the second stage all but the masks', their batch norms' statistics too [o]."""
        if self.recipe.trained == "all":
            return []
        net = cast(SiamMask, network)
        return [net.trunk, net.adjust, net.score, *([net.box] if net.box is not None else [])]

    def losses(
        self, network: nn.Module, batch: Mapping[str, Tensor], *, step: int, device: torch.device
    ) -> dict[str, Tensor]:
        """Of the parts that the recipe weighs above 0."""
        r, net = self.recipe, cast(SiamMask, network)
        labels = batch["labels"].to(device)
        with half(device):
            response = net.search(net.template(images(batch["template"], device)), images(batch["search"], device))
        parts: dict[str, Tensor] = {}
        if r.loss_score:
            scores = response.scores.float()
            similar = batch["similar"].to(device)
            parts["score"] = (
                score_loss(scores, labels) if net.box is not None else similarity_loss(scores[:, 0, 0], similar)
            )
        if r.loss_box and net.box is not None:
            parts["box"] = weighted_box_loss(response.boxes.float(), batch["deltas"].to(device), labels)
        if r.loss_mask:
            items, places = (batch["signs"] > 0).nonzero(as_tuple=True)
            cells = torch.cat([items[:, None], batch["cells"][items, places]], 1).to(device)
            with half(device):
                logits = net.masks(response, cells).float()
            mask = window_loss(logits, batch["masks"][items, places].to(device))
            parts |= {"mask": mask.logistic, "iou": mask.iou}
        weights = {"score": r.loss_score, "box": r.loss_box, "mask": r.loss_mask}
        total = torch.stack([weights[name] * value for name, value in parts.items() if name in weights]).sum()
        return {"total": total, **parts}
