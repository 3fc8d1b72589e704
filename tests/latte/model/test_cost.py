import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from latte.config import LatteConfig, preset
from latte.model import Latte
from latte.model.cost import PAPER_SIZES, PAPER_VARIANTS, cost


@pytest.mark.parametrize(
    ("variant", "patches", "conditioning", "parameters", "fixed", "flops"),
    [
        (1, "uniform", "s-adaln", 32_483_744, 104_448, 184_387_141_632),
        (1, "uniform", "all-tokens", 21_562_784, 104_448, 185_880_576_000),
        (1, "compression", "s-adaln", 32_490_024, 101_376, 92_080_996_352),
        (2, "compression", "all-tokens", 21_569_064, 101_376, 92_815_622_144),
        (3, "uniform", "s-adaln", 33_073_568, 104_448, 210_556_059_648),
        (3, "compression", "all-tokens", 23_929_896, 101_376, 105_927_999_488),
        (4, "uniform", "s-adaln", 33_088_928, 104_448, 210_556_059_648),
        (4, "compression", "s-adaln", 33_095_208, 101_376, 105_063_022_592),
    ],
)
def test_designs_cost_what_their_formulas_say(
    variant, patches, conditioning, parameters, fixed, flops
):
    design = {"variant": variant, "patch_embedding": patches, "conditioning": conditioning}
    found = cost(preset("Latte-S/2", num_classes=7, **design))
    assert (found.parameters, found.fixed, found.flops) == (parameters, fixed, flops)


def test_the_flops_of_an_image_model_are_those_of_its_formula():
    config = LatteConfig(8, 2, 4, 32, 4, 2, 1, num_classes=3, temporal_attention=False)
    width, tokens = config.hidden_size, config.patches_per_frame
    block = tokens * 12 * width**2 + 2 * tokens**2 * width + 6 * width**2
    outside = tokens * width * (16 + 32) + 256 * width + width**2 + 2 * width**2
    found = cost(config)
    assert found.flops == 2 * (4 * block + outside)
    assert found.fixed == tokens * width
    assert found.official_flops is None


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Latte-S/2", 32_480_672),
        ("Latte-B/2", 129_547_040),
        ("Latte-L/2", 456_815_648),
        ("Latte-XL/2", 673_681_568),
    ],
)
def test_sizes_have_the_parameters_of_the_paper(name, parameters):
    assert cost(preset(name)).parameters == parameters
    # The paper cuts off after two decimals.
    assert math.floor(parameters / 1e4) / 100 == PAPER_SIZES[name]


@pytest.mark.parametrize(
    ("variant", "parameters", "flops"),
    [
        (1, 673_681_568, 3_725_650_722_816),
        (2, 673_681_568, 3_725_650_722_816),
        (3, 676_328_864, 4_119_667_900_416),
        (4, 676_434_848, 4_119_667_900_416),
    ],
)
def test_variants_of_xl_are_near_the_paper(variant, parameters, flops):
    config = preset("Latte-XL/2", variant=variant)
    assert (cost(config).parameters, cost(config).flops) == (parameters, flops)
    assert parameters / 1e6 == pytest.approx(PAPER_VARIANTS[variant][0], abs=0.006)


def test_the_official_formulation_is_counted_with_its_repeated_rows():
    """A row of the condition for each frame in spatial blocks, for each patch in temporal ones."""
    config = preset("Latte-S/2")
    with torch.device("meta"):
        model = Latte(config)
    layers = [(16 if i % 2 == 0 else 256, model.blocks[i]) for i in range(config.depth)]
    with FlopCounterMode(display=False) as counter:
        for rows, layer in [*layers, (16, model.final_layer)]:
            more = torch.zeros(rows - 1, 1, config.hidden_size, device="meta")  # ours has one row
            layer.adaLN_modulation(more)
    assert cost(config).official_flops == cost(config).flops + counter.get_total_flops()
    assert cost(preset("Latte-XL/2")).official_flops == 3_785_927_786_496


@pytest.mark.parametrize(
    "change",
    [
        {"variant": 3},
        {"variant": 4},
        {"conditioning": "all-tokens"},
        {"patch_embedding": "compression"},
    ],
)
def test_what_the_official_code_lacks_has_no_official_count(change):
    assert cost(preset("Latte-XL/2", **change)).official_flops is None


def test_the_papers_flops_are_those_of_modules_alone_for_three_clips():
    """What a counter of module calls sees: no attention products, but layer norms."""
    config = preset("Latte-XL/2")
    tokens = config.token_frames * config.patches_per_frame
    attention = 2 * tokens * (config.patches_per_frame + config.token_frames) * config.hidden_size
    products = cost(config).official_flops // 2 - config.depth // 2 * attention
    norms = (2 * config.depth + 1) * 2 * tokens * config.hidden_size
    assert math.floor(3 * (products + norms) / 1e7) / 100 == PAPER_VARIANTS[1][1]
