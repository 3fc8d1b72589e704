"""Networks for CPUs whose convolutions do more at once: batch norm, bias and ReLU inside them.

oneDNN convolves channels-last, adds the bias and cuts at zero in one pass over the memory. On one
thread of an AMD EPYC, I3D takes half the time of the plain network, as it does when inductor has
compiled it with frozen weights (docs/networks.md).
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}  # by the number of axes


class FusedConvolution(nn.Module):
    """A convolution in two or three dimensions with its batch norm, then a ReLU.

    in, out  float32 (N, C, …), channels-last in memory
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d | nn.Conv3d, bn: nn.Module | None = None) -> None:
        super().__init__()
        weight, bias = folded(conv, bn)
        axes = len(conv.stride)
        self.stride, self.padding = tuple(conv.stride), tuple(conv.padding)
        self.register_buffer("weight", weight.contiguous(memory_format=CHANNELS_LAST[axes]))
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.padded(x, self.padding)

    def padded(self, x: Tensor, padding: Sequence[int]) -> Tensor:
        """The same with other zeros around each axis."""
        ones = [1] * len(self.stride)
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, padding, self.stride, ones, 1, "relu", [], ""
        )
        return result


def folded(conv: nn.Conv2d | nn.Conv3d, bn: nn.Module | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what both do; the factors are made in float64."""
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
    if bn is None:
        return conv.weight.detach(), bias
    scale = bn.weight.double() / torch.sqrt(bn.running_var.double() + bn.eps)
    weight = conv.weight.double() * scale.reshape(-1, *[1] * (conv.weight.ndim - 1))
    moved = bn.bias.double() + (bias.to(scale.device) - bn.running_mean.double()) * scale
    return weight.float().detach(), moved.float().detach()


def with_replaced(
    model: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]
) -> nn.Module:
    """A copy with some modules replaced; all others share their tensors with the original.

    Args:
        replacement: what takes a module's place; None keeps it, and looks into it.
    """
    new = replacement(model)
    if new is not None:
        return new
    twin = copy.copy(model)
    twin._modules = {
        name: with_replaced(part, replacement) for name, part in model.named_children()
    }
    return twin


def max_pool_positive(x: Tensor, *, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """`i3d.max_pool_same` of what a ReLU gives, without a copy of it.

    Zeros around the input and −∞ are the same to a maximum over numbers that are not negative.
    """
    if tuple(stride) == (1, 1, 1) and tuple(kernel) == (3, 3, 3):
        for axis in (4, 3, 2):  # one axis after the other: 6 comparisons instead of 26
            x = _max_of_neighbours(x, axis)
        return x
    totals = [max(k - (n % s or s), 0) for n, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
    before = [total // 2 for total in totals]
    return functional.max_pool3d(x, tuple(kernel), tuple(stride), before, ceil_mode=True)


def _max_of_neighbours(x: Tensor, axis: int) -> Tensor:
    """The maximum of each value with the one before and the one after it along an axis."""
    largest, inner = x.clone(), x.shape[axis] - 1
    first, last = largest.narrow(axis, 0, inner), largest.narrow(axis, 1, inner)
    torch.maximum(last, x.narrow(axis, 0, inner), out=last)
    torch.maximum(first, x.narrow(axis, 1, inner), out=first)
    return largest
