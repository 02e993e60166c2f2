"""A network made ready to run: batch norms folded, channels last, the precision that the device is good at."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vossegment.errors import InputError

Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``. Raises InputError where it cannot be had."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise InputError(f"unknown device '{name}'; known: auto, cpu, cuda, cuda:N, mps")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device '{name}' is not there: torch sees {torch.cuda.device_count()} CUDA devices; try --device cpu"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("device 'mps' is not there; try --device cpu")
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto`` is bfloat16 where the hardware multiplies it natively, else float32. Raises InputError if unknown."""
    if name == "float32":
        return torch.float32
    if name == "bfloat16":
        return torch.bfloat16
    if name != "auto":
        raise InputError(f"unknown precision '{name}'; known: auto, float32, bfloat16")
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # Without these instructions bfloat16 is emulated, and slower than float32.
    native = device.type == "cpu" and _cpu_has_bfloat16()
    return torch.bfloat16 if native else torch.float32


def _cpu_has_bfloat16() -> bool:
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch has no public name for it yet
    return bool(probe()) if probe is not None else False


def fold(module: nn.Module) -> None:
    """Folds each batch norm that follows a convolution in a Sequential into it, in place, everywhere below."""
    for child in module.children():
        fold(child)
    if not isinstance(module, nn.Sequential):
        return
    for i in range(len(module) - 1):
        first, second = module[i], module[i + 1]
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            module[i] = fuse_conv_bn_eval(first, second)
            module[i + 1] = nn.Identity()


def prepare(network: nn.Module, device: torch.device, precision: torch.dtype) -> nn.Module:
    """The network for inference; it is changed in place and can no longer train."""
    network.eval().requires_grad_(False)
    fold(network)
    network.to(device=device, dtype=precision)
    return network.to(memory_format=torch.channels_last)
