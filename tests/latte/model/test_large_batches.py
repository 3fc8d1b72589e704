"""torch's attention on CUDA takes a batch of 65,535 at most; larger ones go through in parts."""

import pytest
import torch
import torch.nn.functional as F

from latte.model import blocks
from latte.model.blocks import attention_in_parts


@pytest.mark.parametrize("largest", [1, 3, 6, 7, 100])
@pytest.mark.parametrize("masked", [False, True])
def test_parts_give_what_the_whole_gives_forwards_and_backwards(largest, masked, monkeypatch):
    stream = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(7, 2, 5, 4, generator=stream, requires_grad=True) for _ in range(3))
    mask = torch.ones(5, 5, dtype=torch.bool).tril() if masked else None
    whole = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    expected = torch.autograd.grad(whole.square().sum(), (q, k, v))
    sizes, attention = [], F.scaled_dot_product_attention

    def noted(q, k, v, attn_mask):
        sizes.append(len(q))
        return attention(q, k, v, attn_mask=attn_mask)

    monkeypatch.setattr(blocks.F, "scaled_dot_product_attention", noted)
    parts = attention_in_parts(q, k, v, mask, largest)
    assert sum(sizes) == 7
    assert max(sizes) == min(largest, 7)
    torch.testing.assert_close(parts, whole)
    found = torch.autograd.grad(parts.square().sum(), (q, k, v))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs)
