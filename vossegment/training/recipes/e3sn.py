"""E3SN's recipes. ``e3sn`` is the paper's schedule; ``e3sn_small`` makes the weights that ship, on two CPU cores."""

from __future__ import annotations

from dataclasses import dataclass, field

from vossegment.training.clips import Mix
from vossegment.training.pairs import PairSettings
from vossegment.training.recipes.base import Recipe

# What one pass over the paper's data is worth in pairs, from SiamMask's code [o]; the paper gives epochs only.
_PAIRS_AN_EPOCH = 600_000
_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class E3SNRecipe(Recipe):
    """What E3SN's training depends on besides. Sources: [p] E3SN, [o] SiamMask's code, [ours]."""

    mask_factor: float = 1.0
    """The refinement's learning rate is this times ``rate``."""
    level_factor: float = 10.0
    """So for the three level weights [ours]: three numbers need larger steps to move at all."""
    hard_from: int = -1
    """Step from which the score learns on each crop's hardest negatives, not on random ones; -1: never [ours]."""
    loss_score: float = 1.0
    loss_box: float = 1.0
    loss_mask: float = 32.0
    loss_dice: float = 0.0
    train_negative_masks: bool = False
    pairs: PairSettings = field(default_factory=PairSettings)


E3SN = E3SNRecipe(
    name="e3sn",
    model="e3sn_resnet50",
    steps=20 * _PAIRS_AN_EPOCH // _BATCH,  # 20 epochs [p 4.1]
    batch=_BATCH,  # [o]
    optimiser="sgd",  # momentum 0.9 [p 4.1]
    rate=2e-3,  # [p 4.1]
    final_rate=2e-4,  # [p 4.1]
    decay="log",  # [p 4.1]
    trunk_factor=0.1,  # [o]
    mask_factor=0.1,  # [p 4.1]
    weight_decay=1e-4,  # [o]
    frozen_stages=2,  # conv1 and conv2 never train [o]
    trunk_frozen_until=0.5,  # 10 of 20 epochs [o]
    mix=Mix(video=1.0, still=0.35, composed=0.0, reach=100, video_extras=0.0),  # [p 4.1]: pairs as SiamFC
    pairs=PairSettings(colour=0.0, flip=0.0, positives=3, negatives=1),  # 3:1 of four cells [p 3.3]
)

# [ours] Two cores, an hour and a half: what has ImageNet behind it stays nearly still, the rest learns fast.
E3SN_SMALL = E3SNRecipe(
    name="e3sn_small",
    model="e3sn",
    steps=3500,  # 56 000 pairs at 10-13 a second
    batch=16,
    optimiser="adamw",
    rate=1e-3,
    final_rate=1e-5,
    decay="cosine",
    trunk_factor=0.2,
    warm_up=150,
    clip=10.0,
    average=0.995,
    frozen_stages=7,  # stem and six bottlenecks: c1 to c3 stay ImageNet's, and need no backward pass
    hard_from=1500,
    loss_box=1.2,  # [o]
    loss_mask=16.0,
    loss_dice=2.0,
    mix=Mix(video=0.42, still=0.13, composed=0.45),
    pairs=PairSettings(
        template_shift=6,
        template_scale=0.1,
        search_scale=0.35,  # a window that is a third too small must still show the way back
        turn=6.0,
        grey=0.08,
        blur=0.15,
        soft=0.2,
        negative_pairs=0.08,
        positives=3,
        near=1,
        negatives=0,
    ),
)
