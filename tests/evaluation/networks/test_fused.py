"""Convolutions that do more at once give what the plain ones give, to rounding."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from evaluation.networks.fused import FusedConvolution, max_pool_positive, with_replaced
from evaluation.networks.i3d import max_pool_same
from evaluation.networks.registry import build


@pytest.mark.parametrize(
    ("convolution", "norm", "size"),
    [
        (nn.Conv3d(3, 8, 3, stride=(1, 2, 2), padding=1, bias=False), nn.BatchNorm3d, (4, 7, 9)),
        (nn.Conv3d(3, 8, 3, padding=1), None, (4, 7, 9)),
        (nn.Conv2d(3, 8, (1, 7), padding=(0, 3), bias=False), nn.BatchNorm2d, (7, 9)),
        (nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d, (7, 9)),
    ],
)
def test_a_fused_convolution_is_convolution_norm_and_relu(convolution, norm, size):
    torch.manual_seed(0)
    bn = None
    if norm is not None:
        bn = norm(8, eps=1e-3).eval()
        for tensor in (bn.weight.data, bn.bias.data, bn.running_mean, bn.running_var):
            tensor.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, *size)
    with torch.inference_mode():
        expected = (convolution(x) if bn is None else bn(convolution(x))).relu()
        found = FusedConvolution(convolution, bn)(x)
    assert (expected == 0).any()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


KERNELS = [
    ((1, 3, 3), (1, 2, 2)),
    ((3, 3, 3), (2, 2, 2)),
    ((2, 2, 2), (2, 2, 2)),
    ((3, 3, 3), (1, 1, 1)),
]


@pytest.mark.parametrize(("kernel", "stride"), KERNELS)
def test_pools_of_what_a_relu_gives_have_the_same_bits(kernel, stride):
    for size in itertools.product((2, 3, 5, 6), (4, 7), (4, 7)):
        x = torch.randn(2, 5, *size).relu().contiguous(memory_format=torch.channels_last_3d)
        kept = x.clone()
        found = max_pool_positive(x, kernel=kernel, stride=stride)
        assert torch.equal(found, max_pool_same(x, kernel=kernel, stride=stride))
        assert torch.equal(x, kept)


def test_replacing_modules_leaves_the_original_as_it_was():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
    twin = with_replaced(model, lambda part: nn.Tanh() if isinstance(part, nn.ReLU) else None)
    assert isinstance(model[1][0], nn.ReLU)
    assert isinstance(twin[1][0], nn.Tanh)
    assert twin[1][1] is not model[1][1]
    assert twin[1][1].weight is model[1][1].weight


def test_rows_of_i3d_have_the_same_bits_for_any_threads_and_grouping(state_dict_file, make_clips):
    clips = make_clips(3, 10, 48, 64)
    extractor = build("i3d", state_dict_file)
    assert extractor.implementation == "own network, fused"
    one = extractor(clips)
    torch.set_num_threads(3)
    assert np.array_equal(extractor(clips), one)
    assert np.array_equal(build("i3d", state_dict_file)(clips[1:2]), one[1:2])


def test_the_published_path_of_a_state_dict_is_the_plain_network(state_dict_file, make_clips):
    clips = make_clips(1, 10, 48, 64)
    fast, exact = build("i3d", state_dict_file), build("i3d", state_dict_file, exact=True)
    assert (exact.implementation, exact.probe_difference) == ("own network", None)
    rows, expected = fast(clips), exact(clips)
    assert 0 < np.abs(rows - expected).max() < 1e-5 * np.abs(expected).max()
