"""Which protocol and which network a request means."""

from dataclasses import replace

import pytest

from evaluation.catalogue.registry import METRICS, metric
from evaluation.measuring.choice import choose_protocol, dataset_videos, default_network, for_metric
from evaluation.protocol.fields import override
from evaluation.protocol.presets import LATTE, PRESETS, SHAPES, STYLEGAN_V
from latte.data.errors import InputError


@pytest.mark.parametrize(
    ("stated", "protocol"),
    [
        ({}, STYLEGAN_V),
        ({"dataset": "shapes"}, SHAPES),
        ({"network": "shapes"}, SHAPES),
        ({"protocol": "latte", "dataset": "taichi-hd"}, replace(LATTE, real_stride=6)),
        ({"protocol": SHAPES, "seed": 3}, replace(SHAPES, seed=3)),
        ({"protocol": "shapes", "num_videos": 9}, replace(SHAPES, num_real=9, num_fake=9)),
        (
            {"network": "inception", "settings": ["resize=legacy-pytorch"]},
            replace(STYLEGAN_V, network="inception", output="pooled", resize="legacy-pytorch"),
        ),
        ({"num_frames": 32, "settings": ["mirror=both"]}, None),
    ],
)
def test_what_is_left_out_follows_from_the_rest(stated, protocol):
    expected = protocol or replace(STYLEGAN_V, num_frames=32, mirror="both")
    assert choose_protocol(**stated) == expected


@pytest.mark.parametrize("name", PRESETS)
def test_a_protocols_own_network_changes_nothing(name):
    assert choose_protocol(name, network=PRESETS[name].network) == PRESETS[name]


def test_videos_at_a_path_are_of_no_known_split(tmp_path):
    assert choose_protocol(real=tmp_path).split == "given"


def test_weights_without_a_name_belong_to_the_network_of_the_only_metric():
    assert default_network(("fid",), STYLEGAN_V, None) == "inception"
    assert default_network(("fvd", "fid"), STYLEGAN_V, None) == "i3d"
    with pytest.raises(InputError, match=r"\binception\b.*frames"):
        default_network(("fvd",), STYLEGAN_V, "inception")


def test_a_data_set_gives_the_split_that_the_protocol_names():
    assert len(dataset_videos("shapes", SHAPES).videos) == 2048
    assert len(dataset_videos("shapes", replace(SHAPES, split="published")).videos) == 10_000


def test_each_metric_takes_the_network_of_its_reference():
    chosen = {name: for_metric(STYLEGAN_V, metric(name)) for name in METRICS}
    assert {name: protocol.network for name, protocol in chosen.items()} == {
        "fvd": "i3d",
        "fid": "inception",
        "kvd": "i3d",
        "kid": "inception",
        "jedi": "i3d",
        "is": "c3d",
        "precision-recall": "i3d",
        "density-coverage": "i3d",
        "per-class": "i3d",
        "per-position": "inception",
        "similarity": "inception",
    }
    assert chosen["fvd"] == STYLEGAN_V
    fid = chosen["fid"]
    assert (fid.resize, fid.output, fid.covariance) == ("clean", "pooled", "n-1")
    asked_for = override(STYLEGAN_V, ["resize=legacy-pytorch"])
    assert for_metric(asked_for, metric("fid")).resize == "legacy-pytorch"
