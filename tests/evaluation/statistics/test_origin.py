from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.networks.registry import NETWORKS
from evaluation.protocol.deviations import Deviation
from evaluation.protocol.presets import STYLEGAN_V
from evaluation.statistics.origin import (
    check_network,
    deviations_of_statistics,
    follows_protocol,
    record_of_statistics,
    statistics_over,
)
from evaluation.statistics.running import streamed_statistics
from latte.data.errors import InputError


def deviation(field, value, wanted=""):
    return Deviation(field=field, value=value, wanted=wanted, subject="statistics ref.npz")


def test_a_file_made_as_the_protocol_asks_is_the_set_itself(file_of):
    assert deviations_of_statistics(file_of(), STYLEGAN_V, "real") == ()
    assert follows_protocol(file_of(), STYLEGAN_V, "real")
    record = record_of_statistics(file_of())
    assert record == replace(file_of().origin.record, path="ref.npz", storage="statistics")


@pytest.mark.parametrize(
    "changes",
    [
        {"fake_stride": 2, "fake_offset": "random", "fake_order": "random", "num_fake": 5},
        {"num_real": 100},  # a result takes the number of clips from the file
        {"covariance": "n-1"},  # converted
        {"split": "train"},  # a result takes it from the file
        {"name": "mine", "description": "mine"},
    ],
)
def test_fields_that_do_not_bear_on_the_set_do_not_matter(file_of, changes):
    assert deviations_of_statistics(file_of(), replace(STYLEGAN_V, **changes), "real") == ()


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({"real_stride": 3}, [1]),
        ({"num_frames": 32}, [16]),
        ({"seed": 1}, [0]),
        ({"seed": 1, "size": 128}, [0, 256]),
        ({"weights": "sha256:12"}, ["i3d_torchscript.pt"]),
        ({"short_real": "error"}, ["discard"]),
    ],
)
def test_fields_that_differ_are_named(file_of, changes, values):
    protocol = replace(STYLEGAN_V, **changes)
    expected = [
        deviation(field, value, wanted)
        for (field, wanted), value in zip(changes.items(), values, strict=True)
    ]
    assert list(deviations_of_statistics(file_of(), protocol, "real")) == expected
    assert not follows_protocol(file_of(), protocol, "real")


def test_mirrored_clips_are_a_question_of_yes_and_no(file_of):
    found = deviations_of_statistics(file_of(), replace(STYLEGAN_V, mirror="real"), "real")
    assert found == (deviation("mirror", "no", "yes"),)


def test_a_seed_matters_only_where_something_is_drawn(file_of):
    changes = {"real_offset": "first", "real_order": "sorted"}
    drawn_by_none = replace(STYLEGAN_V, **changes)
    file = file_of(protocol_fields=drawn_by_none.affecting_fields())
    assert follows_protocol(file, replace(drawn_by_none, seed=9), "real")
    assert deviations_of_statistics(file, replace(STYLEGAN_V, seed=9), "real") == (
        deviation("real_offset", "first", "random"),
    )


def test_a_real_set_that_stands_for_the_generated_one_is_held_to_that_side(file_of):
    found = deviations_of_statistics(file_of(), STYLEGAN_V, "fake")
    assert found == (deviation("fake_offset", "random", "first"),)
    same = replace(STYLEGAN_V, fake_offset="random", short_real="error")
    assert follows_protocol(file_of(), same, "fake")
    mirrored = replace(same, mirror="real")  # the real clips alone
    assert follows_protocol(file_of(), mirrored, "fake")


def test_a_file_of_an_older_program_lacks_what_was_not_a_field_then(file_of):
    fields = {k: v for k, v in STYLEGAN_V.affecting_fields().items() if k != "window"}
    found = deviations_of_statistics(file_of(protocol_fields=fields), STYLEGAN_V, "real")
    assert found == (deviation("window", None, "kept"),)


def test_what_somebody_stated_is_said_to_be_so(file_of):
    stated = file_of(stated=True, weights_sha256=None, record=None)
    assert deviations_of_statistics(stated, STYLEGAN_V, "real") == (deviation("origin", "stated"),)
    assert follows_protocol(stated, STYLEGAN_V, "real")
    record = record_of_statistics(stated)
    assert (record.digest, record.num_clips, record.storage) == ("ef" * 32, 2048, "statistics")


def test_a_file_that_says_nothing_is_not_known(file_of):
    unknown = replace(file_of(), origin=None)
    assert deviations_of_statistics(unknown, STYLEGAN_V, "real") == (
        deviation("origin", "unknown"),
    )
    assert not follows_protocol(unknown, STYLEGAN_V, "real")
    assert record_of_statistics(unknown).num_clips == 2048


def network(**changes):
    """A spec like I3D's and the hash of its weights."""
    spec = replace(NETWORKS["i3d"].choose(), **{"outputs": {"logits": 2}} | changes)
    return spec, "cd" * 32


def test_the_network_that_made_them_is_the_only_one_they_go_with(file_of):
    check_network(file_of(), *network())
    check_network(replace(file_of(), origin=None), *network())
    check_network(file_of(weights_sha256=None), *network())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "i3d-videogpt"}, r".*\bi3d\b.*\bi3d-videogpt\b"),
        ({"outputs": {"pooled": 2}, "output": "pooled"}, r".*logits.*i3d.*pooled"),
        ({"version": 2}, r".*version 1\b.*i3d.*version 2\b"),
        ({"outputs": {"logits": 3}}, r".*\b2 features.*\b3\b"),
    ],
)
def test_another_network_is_refused(file_of, changes, complaint):
    with pytest.raises(InputError, match=rf"ref\.npz: {complaint}"):
        check_network(file_of(), *network(**changes))


def test_other_weights_are_refused_by_both_hashes(file_of):
    with pytest.raises(InputError, match=r"ref\.npz.*cdcdcdcdcdcd….*999999999999…"):
        check_network(file_of(), network()[0], "99" * 32)


@given(st.integers(2, 60), st.sampled_from([("n", 0), ("n-1", 1)]))
def test_the_covariance_is_what_the_protocol_asks_for(file_of, count, wanted):
    rows = np.random.default_rng(count).standard_normal((count, 3))
    name, ddof = wanted
    expected = streamed_statistics([rows], ddof=ddof).covariance
    for have, own in (("n", 0), ("n-1", 1)):
        fields = STYLEGAN_V.affecting_fields() | {"covariance": have}
        statistics = streamed_statistics([rows], ddof=own)
        file = replace(file_of(protocol_fields=fields), statistics=statistics)
        np.testing.assert_allclose(statistics_over(file, name).covariance, expected, rtol=1e-14)
    unknown = replace(file, origin=None)
    assert statistics_over(unknown, name) is unknown.statistics
