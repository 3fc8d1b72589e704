"""TensorFlow's "SAME" padding: the odd zero at the end, and max pools that see the zeros."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def same_padding(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int]
) -> list[tuple[int, int]]:
    """Zeros before and after each axis, as TensorFlow's "SAME" has them: the odd one at the end."""
    padding = []
    for size, k, s in zip(sizes, kernel, stride, strict=True):
        total = max(k - (size % s or s), 0)
        padding.append((total // 2, total - total // 2))
    return padding


def pad(x: Tensor, padding: Sequence[tuple[int, int]]) -> Tensor:
    """`x` (N, C, T, H, W) with zeros before and after T, H and W."""
    # torch wants the last axis first.
    return functional.pad(x, [zeros for axis in reversed(padding) for zeros in axis])


def max_pool_same(x: Tensor, *, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Max pooling over windows that TensorFlow's "SAME" padding has filled with zeros, not −∞."""
    return functional.max_pool3d(
        pad(x, same_padding(x.shape[2:], kernel, stride)), tuple(kernel), tuple(stride)
    )
