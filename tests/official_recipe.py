"""Made-up weights for SiamMask that anyone can draw again: the reference numbers were computed with them.

Tensor ``i`` of the official state, in its order, is drawn by a generator of its own; ``shared/reference`` says how.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vossegment.weights.official import official

_FIRST_SEED = 20240000
_Array = NDArray[np.float64]
_FAN_GAINS = (  # of convolutions, by what their official name ends or begins with
    ("features.features.conv1.weight", 1 / 24),
    (".conv3.weight", 0.5),
    ("features.downsample.downsample.0.weight", 1.0),
    (".downsample.0.weight", 0.7),
    (".conv_kernel.0.weight", 1.0),
    (".conv_search.0.weight", 1.0),
    (".head.0.weight", 0.1),
    ("cls.head.3.weight", 1.0),
    ("loc.head.3.weight", 0.1),
    ("mask.head.3.weight", 0.3),
)


def _short(value: float) -> float:
    """As the list of the reference has it: eight digits."""
    return float(f"{value:.8g}")


def _drawn(name: str, shape: tuple[int, ...], seed: int) -> _Array:
    g = np.random.Generator(np.random.PCG64(seed))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape)
    refine = name.startswith("refine_model.")
    norm = not refine and len(shape) == 1 and not name.endswith(".head.3.bias")
    if norm and name.endswith(("weight", "running_var")):
        low, high = (0.8, 1.2) if name.endswith("weight") else (0.5, 1.5)
        return g.uniform(low, high, shape)
    z: _Array = g.standard_normal(shape)
    if name == "mask_model.mask.head.3.bias":
        y, x = np.mgrid[:63, :63]
        bump = np.clip(2.5 - 4 * (((x - 31) / 18) ** 2 + ((y - 31) / 13) ** 2), -6, 2.5)
        return np.asarray(bump.ravel() + 0.05 * z)
    if name == "refine_model.deconv.weight":
        y, x = np.mgrid[:15, :15]
        bump = np.maximum(0, 1 - ((x - 7) / 5) ** 2 - ((y - 7) / 3.5) ** 2)
        return np.asarray(0.0025 * bump + _short(0.02 * math.sqrt(2 / 256)) * z)
    fan = math.prod(shape[1:])
    if refine and len(shape) == 4:
        scale = (0.6 if ".v" in name else 0.3) * math.sqrt(2 / fan)
        return _short(0.0 if ".v" in name else 1 / fan) + _short(scale) * z
    if len(shape) == 4:
        gain = next((gain for end, gain in _FAN_GAINS if name.endswith(end)), 1.0)
        z -= z.mean((1, 2, 3), keepdims=True)
        return np.asarray(_short(gain * math.sqrt(2 / fan)) * z)
    shifted = -0.6 if name.endswith((".conv_kernel.1.bias", ".conv_search.1.bias")) else 0.0
    return (-2.5 if name == "refine_model.post2.bias" else shifted) + 0.05 * z


def official_state(network: nn.Module) -> dict[str, Tensor]:
    """The official checkpoint of ``network``, drawn anew: names and values as the reference has them."""
    state = {}
    for i, (name, tensor) in enumerate(network.state_dict().items()):
        drawn = _drawn(official(name), tuple(tensor.shape), _FIRST_SEED + i)
        state[official(name)] = torch.from_numpy(np.array(drawn)).to(tensor.dtype)
    return state
