"""What `guided` learns: the mask in each target of a chain, guided by its own answer for the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from vossegment.networks.guided import Guided, Reference
from vossegment.tracking.aggregation import signed
from vossegment.tracking.geometry import resample
from vossegment.training.chains import ChainDataset
from vossegment.training.clips import ClipMaker
from vossegment.training.library import Library
from vossegment.training.losses import segmentation_loss
from vossegment.training.recipes.guided import GuidedRecipe
from vossegment.training.tensors import half, images, masks


@dataclass(frozen=True)
class GuidedTask:
    """See ``training.engine.Task``."""

    recipe: GuidedRecipe

    def _learner(self, network: nn.Module) -> Guided:
        """What of ``network`` trains: itself, or its starter."""
        net = cast(Guided, network)
        if not self.recipe.starter:
            return net
        if net.starter is None:
            raise ValueError(f"recipe '{self.recipe.name}' trains a starter; its model has none")
        return net.starter

    def samples(self, library: Library, seed: int) -> ChainDataset:
        r = self.recipe
        return ChainDataset(ClipMaker(library, r.mix), r.chains, chains=r.steps * r.batch, batch=r.batch, seed=seed)

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        r, net = self.recipe, self._learner(network)
        stem = set(net.trunk.mask_stem.parameters())
        trunk = [p for p in net.trunk.parameters() if p.requires_grad and p not in stem]
        rest = [p for p in net.parameters() if p in stem or p not in set(net.trunk.parameters())]
        return [{"params": rest, "lr": r.rate}, {"params": trunk, "lr": r.rate * r.trunk_factor}]

    def still(self, network: nn.Module, *, step: int) -> list[nn.Module]:
        r, net = self.recipe, self._learner(network)
        still: list[nn.Module] = []
        if net is not network:
            still += [part for part in network.children() if part is not net]
            still += net.trunk.stage_modules()[: r.frozen_stages]
        return [*still, net.trunk.mask_stem] if step >= r.mask_stem_until * r.steps else still

    def losses(
        self, network: nn.Module, batch: Mapping[str, Tensor], *, step: int, device: torch.device
    ) -> dict[str, Tensor]:
        """The mean over the targets; ``iou_1`` is the first target's, ``iou`` the last one's."""
        r, net = self.recipe, self._learner(network)
        truths, hops = masks(batch["masks"], device), batch["hops"].to(device)
        starts = batch["start"].to(device).nonzero()[:, 0]
        guidance, rivals = masks(batch["guidance"], device), masks(batch["rivals"], device)
        with half(device):
            known = signed(masks(batch["reference_mask"], device), rivals[:, 0])
            reference = net.reference(images(batch["reference"], device), known)
            late = batch["has_recent"].to(device).nonzero()[:, 0]
            recent = reference
            if len(late):
                shown, mask = images(batch["recent"], device)[late], masks(batch["recent_mask"], device)[late]
                recent = _renewed(reference, late, net.reference(shown, mask))
        parts = []
        for k in range(truths.shape[1]):
            crops = images(batch["targets"][:, k], device)
            if k:
                guidance = resample(guidance, hops[:, k])
            with half(device):
                logits = net.segment(reference.beside(recent), crops, signed(guidance, rivals[:, k + 1])).float()
            parts.append(segmentation_loss(logits, truths[:, k]))
            guidance = logits.detach().sigmoid()
            if k == 0 and truths.shape[1] > 1 and len(starts):
                with half(device):
                    reference = _renewed(reference, starts, net.reference(crops[starts], guidance[starts]))
                    recent = _renewed(recent, starts, Reference(*(part[starts] for part in reference)))
        mask = torch.stack([p.logistic for p in parts]).mean()
        dice = torch.stack([p.dice for p in parts]).mean()
        return {
            "total": r.loss_mask * mask + r.loss_dice * dice,
            "mask": mask,
            "dice": dice,
            "iou_1": parts[0].iou,
            "iou": parts[-1].iou,
        }


def _renewed(reference: Reference, places: Tensor, new: Reference) -> Reference:
    """``reference`` with the entries at ``places`` taken from ``new``."""
    return Reference(*(old.index_copy(0, places, part.to(old.dtype)) for old, part in zip(reference, new, strict=True)))
