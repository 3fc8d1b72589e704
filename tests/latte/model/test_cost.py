import itertools
import math

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from latte.config import PRESETS, LatteConfig, preset
from latte.model import Latte
from latte.model.cost import PAPER_SIZES, PAPER_VARIANTS, cost

DESIGNS = list(
    itertools.product(
        (1, 2, 3, 4), ("uniform", "compression"), ("s-adaln", "all-tokens"), ("absolute", "rotary")
    )
)


def build(config: LatteConfig) -> Latte:
    with torch.device("meta"):  # shapes alone
        return Latte(config)


def counted_flops(config: LatteConfig) -> int:
    """What PyTorch counts while the network runs; plain attention, whose products it sees."""
    with torch.device("meta"), torch.no_grad():
        size = config.input_size
        x = torch.zeros(1, config.num_frames, config.in_channels, size, size)
        t = torch.zeros(1, dtype=torch.long)
        y = None if config.num_classes is None else t
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            build(config)(x, t, y)
    return counter.get_total_flops()


@pytest.mark.parametrize(("variant", "patches", "conditioning", "positions"), DESIGNS)
@pytest.mark.parametrize("num_classes", [None, 7])
def test_every_design_costs_what_a_built_network_shows(
    variant, patches, conditioning, positions, num_classes
):
    config = LatteConfig(
        input_size=12,
        patch_size=3,
        in_channels=5,
        hidden_size=48,
        depth=4,
        num_heads=6,
        num_frames=6,
        num_classes=num_classes,
        variant=variant,
        patch_embedding=patches,
        conditioning=conditioning,
        temporal_position=positions,
        tube_size=3,
        mlp_ratio=2.3,
        learn_sigma=num_classes is None,
    )
    model, counted = build(config), cost(config)
    assert counted.parameters == sum(weights.numel() for weights in model.parameters())
    assert counted.fixed == sum(
        table.numel() for name, table in model.state_dict().items() if name.endswith("_embed")
    )
    assert counted.flops == counted_flops(config)


@pytest.mark.parametrize("variant", [1, 2])
def test_an_image_model_costs_what_a_built_one_shows(variant):
    config = LatteConfig(
        8, 2, 4, 32, 4, 2, 1, num_classes=3, variant=variant, temporal_attention=False
    )
    model, found = build(config), cost(config)
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert found.fixed == sum(b.numel() for b in model.buffers())
    assert found.flops == counted_flops(config)
    assert found.official_flops is None


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_cost_what_built_networks_show(name):
    config = PRESETS[name]
    assert cost(config).parameters == sum(each.numel() for each in build(config).parameters())


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
    assert math.floor(parameters / 1e4) / 100 == PAPER_SIZES[name].parameters


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
    assert counted_flops(config) == flops
    assert parameters / 1e6 == pytest.approx(PAPER_VARIANTS[variant].parameters, abs=0.006)


def test_the_official_formulation_is_counted_with_its_repeated_rows():
    """A row of the condition for each frame in spatial blocks, for each patch in temporal ones."""
    config = preset("Latte-S/2")
    model = build(config)
    layers = [(16 if i % 2 == 0 else 256, model.blocks[i]) for i in range(config.depth)]
    with FlopCounterMode(display=False) as counter:
        for rows, layer in [*layers, (16, model.final_layer)]:
            more = torch.zeros(rows - 1, 1, config.hidden_size, device="meta")  # than our one
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
    assert math.floor(3 * (products + norms) / 1e7) / 100 == PAPER_VARIANTS[1].flops
