"""A network made ready to run: batch norms folded, channels last, packed, the precision that the device is good at."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vossegment.errors import InputError
from vossegment.runtime.packed import pack

Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``. Raises InputError where it cannot be had."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"(cpu|mps|cuda)|cuda:([0-9]+)", name)
    if match is None:
        raise InputError(f"unknown device '{name}'; known: auto, cpu, cuda, cuda:N, mps")
    kind = match[1] or "cuda"
    if kind == "cuda" and int(match[2] or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device '{name}' is not there: torch sees {torch.cuda.device_count()} CUDA devices; try --device cpu"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("device 'mps' is not there; try --device cpu")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """A device as people know it: ``cpu (AMD EPYC)``; its plain name where the system does not tell."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type != "cpu":
        return str(device)
    try:
        told = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:  # other systems have no such file
        told = None
    name = told[1].strip() if told else platform.processor()
    return f"cpu ({name})" if name else "cpu"


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
    """Folds each batch norm into the convolution registered right before it, in place, everywhere below.

    That order is the house's rule for networks: a norm stands behind the convolution that it normalises.
    """
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if before is not None and isinstance(child, nn.BatchNorm2d):
            conv_name, conv = before
            if isinstance(conv, (nn.Conv2d, nn.ConvTranspose2d)):
                turned = isinstance(conv, nn.ConvTranspose2d)
                setattr(module, conv_name, fuse_conv_bn_eval(conv, child, transpose=turned))
                setattr(module, name, nn.Identity())
        fold(child)
        before = name, child


@runtime_checkable
class _Fusible(Protocol):
    """A module that can do the same with less, once it no longer trains."""

    def fuse(self) -> None: ...


def prepare(network: nn.Module, device: torch.device, precision: torch.dtype) -> nn.Module:
    """The network for inference; it is changed in place and can no longer train."""
    if device.type == "cuda" and precision is torch.float32:
        # Float32 asked for is float32: by default, convolutions would keep ten bits of it.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    network.requires_grad_(False)
    fold(network.eval())
    for module in list(network.modules()):
        if isinstance(module, _Fusible):
            module.fuse()
    network.to(device=device, dtype=precision)
    network = network.to(memory_format=torch.channels_last)
    if device.type == "cpu":
        pack(network)
    return network.eval()
