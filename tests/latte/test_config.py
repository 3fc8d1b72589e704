from dataclasses import asdict, replace

import pytest
import torch

from latte.config import PRESETS, LatteConfig, matched_depth, preset
from latte.data.errors import InputError
from latte.model import Latte

SMALL = LatteConfig(
    input_size=8,
    patch_size=2,
    in_channels=4,
    hidden_size=48,
    depth=4,
    num_heads=4,
    num_frames=4,
)
COUNTS = (
    "input_size",
    "patch_size",
    "in_channels",
    "hidden_size",
    "depth",
    "num_heads",
    "num_frames",
    "tube_size",
)
# Table 2 of the paper: layers, hidden size, heads; and the millions of parameters with patches of 2
# (arXiv:2401.03048v1, Table 4), which are cut in some rows and rounded in others.
TABLE_2 = {
    "S": (12, 384, 6, 32.48),
    "B": (12, 768, 12, 129.54),
    "L": (24, 1024, 16, 456.81),
    "XL": (28, 1152, 16, 673.68),
}
# Table 1 of the paper: millions of parameters of the XL of each variant.
TABLE_1 = {1: 673.68, 2: 673.68, 3: 676.33, 4: 676.44}


def millions_of_parameters(config):
    with torch.device("meta"):
        model = Latte(config)
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


def refusal(**changes):
    with pytest.raises(InputError) as caught:
        replace(SMALL, **changes)
    return str(caught.value)


@pytest.mark.parametrize("value", [0, -1, 2.0, "2", None, True])
@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_integers_of_at_least_one(name, value):
    message = refusal(**{name: value})
    assert message.startswith(f"{name} must be ")
    assert message.endswith(f", got {value!r}")


@pytest.mark.parametrize("value", [0, -3, 5.0, "5", True])
def test_there_is_at_least_one_class_or_none_at_all(value):
    message = refusal(num_classes=value)
    assert message.startswith("num_classes must be ")
    assert message.endswith(f", got {value!r}")


@pytest.mark.parametrize("value", [0, 5, -1, "1", 1.0, True, None, [1]])
def test_the_paper_has_four_variants(value):
    assert refusal(variant=value).startswith(f"variant = {value!r}: ")


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("patch_embedding", "compression, uniform"),
        ("conditioning", "all-tokens, s-adaln"),
        ("temporal_position", "absolute, rotary"),
        ("image_attention", "only-video, temporal-mask"),
    ],
)
def test_choices_are_listed(name, choices):
    assert refusal(**{name: "?"}) == f"{name} = '?': known: {choices}"
    for value in (1, None, ["uniform"]):
        assert refusal(**{name: value}).startswith(f"{name} = {value!r}: ")


@pytest.mark.parametrize("value", [0, -4.0, 0.01, float("nan"), float("inf"), "4", None])
def test_an_mlp_has_a_width(value):
    assert refusal(mlp_ratio=value).startswith("mlp_ratio ")


@pytest.mark.parametrize("name", ["learn_sigma", "temporal_attention"])
@pytest.mark.parametrize("value", [1, "false", None])
def test_switches_are_true_or_false(name, value):
    message = refusal(**{name: value})
    assert message.startswith(f"{name} must be ")
    assert message.endswith(f", got {value!r}")


@pytest.mark.parametrize("change", [{}, {"num_frames": 1, "variant": 3}])
def test_only_an_image_model_does_without_time(change):
    assert "give num_frames = 1, and variant 1" in refusal(temporal_attention=False, **change)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"patch_size": 3}, "input_size 8 is not a multiple of patch_size 3"),
        ({"num_heads": 5}, "hidden_size 48: give a multiple of num_heads (5)"),
        ({"hidden_size": 6, "num_heads": 1}, "hidden_size 6: give a multiple of num_heads (1)"),
        ({"variant": 4, "num_heads": 3}, "num_heads 3: variant 4 splits the heads"),
        (
            {"temporal_position": "rotary", "num_heads": 16},
            "hidden_size 48 over 16 heads: rotary positions",
        ),
        ({"depth": 3}, "depth 3: variant 1 has as many temporal as spatial blocks"),
        ({"depth": 5, "variant": 2}, "depth 5: variant 2 has"),
        (
            {"patch_embedding": "compression", "tube_size": 3},
            "num_frames 4 is not a multiple of tube_size 3",
        ),
    ],
)
def test_sizes_that_do_not_go_together_are_refused_in_one_sentence(changes, complaint):
    message = refusal(**changes)
    assert message.startswith(complaint)
    assert "\n" not in message
    assert ". " not in message


@pytest.mark.parametrize(
    "changes",
    [
        {"variant": 3, "depth": 3},
        {"variant": 4, "depth": 1, "num_heads": 2},
        {"num_frames": 1},
        {"num_frames": 3, "tube_size": 2},  # tubes are not asked for
        {"input_size": 2},
        {"variant": 4, "num_heads": 16, "temporal_position": "rotary"},  # 8 heads of 6 channels
        {"num_classes": 1},
        {"mlp_ratio": 2},
        {"learn_sigma": False},
    ],
)
def test_what_goes_together_is_taken(changes):
    config = replace(SMALL, **changes)
    assert LatteConfig(**asdict(config)) == config


def test_what_follows_from_the_fields():
    assert (SMALL.head_size, SMALL.out_channels) == (12, 8)
    assert (SMALL.token_frames, SMALL.patches_per_frame) == (4, 16)
    assert replace(SMALL, variant=4).head_size == 24
    assert replace(SMALL, learn_sigma=False).out_channels == 4
    assert replace(SMALL, patch_embedding="compression").token_frames == 2
    assert replace(SMALL, patch_embedding="compression", tube_size=4).token_frames == 1
    assert replace(SMALL, patch_size=1).patches_per_frame == 64


@pytest.mark.parametrize("size", TABLE_2)
def test_presets_are_the_papers_sizes(size):
    depth, hidden_size, num_heads, millions = TABLE_2[size]
    for patch_size in (2, 4, 8):
        config = PRESETS[f"Latte-{size}/{patch_size}"]
        assert config == LatteConfig(32, patch_size, 4, hidden_size, depth, num_heads, 16)
        assert (config.num_classes, config.learn_sigma, config.mlp_ratio) == (None, True, 4.0)
    found = millions_of_parameters(PRESETS[f"Latte-{size}/2"])
    assert found == pytest.approx(millions, abs=0.01)


def test_there_is_no_preset_but_those():
    assert set(PRESETS) == {f"Latte-{size}/{patch}" for size in TABLE_2 for patch in (2, 4, 8)}


@pytest.mark.parametrize("variant", TABLE_1)
def test_variants_have_the_papers_parameters(variant):
    found = millions_of_parameters(preset("Latte-XL/2", variant=variant))
    assert found == pytest.approx(TABLE_1[variant], abs=0.01)


def test_a_variant_brings_its_number_of_blocks():
    assert preset("Latte-XL/2") == PRESETS["Latte-XL/2"]
    assert preset("Latte-XL/2", variant=2).depth == 28
    assert preset("Latte-XL/2", variant=3).depth == 23
    assert preset("Latte-XL/2", variant=4).depth == 23
    assert preset("Latte-XL/2", variant=3, depth=7).depth == 7
    assert [matched_depth(12, variant) for variant in (1, 2, 3, 4)] == [12, 12, 10, 10]


def test_a_preset_is_changed_as_asked_and_checked():
    config = preset("Latte-B/4", num_classes=101, num_frames=8)
    assert config == replace(PRESETS["Latte-B/4"], num_classes=101, num_frames=8)
    for variant in (7, "3", [3]):
        with pytest.raises(InputError, match="variant"):
            preset("Latte-B/4", variant=variant)


def test_an_unknown_preset_is_answered_with_near_ones():
    with pytest.raises(InputError) as caught:
        preset("Latte-XL2")
    assert str(caught.value).startswith("no model is called 'Latte-XL2': did you mean Latte-XL/2")
    with pytest.raises(InputError, match=r"resnet50.*Latte-S/2, Latte-S/4"):
        preset("resnet50")
