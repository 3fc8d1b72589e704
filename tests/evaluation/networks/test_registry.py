import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.networks import shapes
from evaluation.networks.extractor import Extractor
from evaluation.networks.i3d import I3D, preprocess, preprocess_crop
from evaluation.networks.registry import NETWORKS, build, network
from evaluation.networks.spec import OpenedNetwork
from evaluation.networks.weights import LocatedWeights
from latte.data.errors import InputError


@pytest.fixture(scope="module")
def i3d(state_dict_file):
    return build("i3d", state_dict_file)


@pytest.fixture(scope="module")
def shapes_files(tmp_path_factory):
    """Untrained embedded networks, so that no trained file is needed."""
    folder = tmp_path_factory.mktemp("shapes")
    torch.manual_seed(0)
    files = {}
    for name, model in (
        ("shapes", shapes.ShapesVideoNet()),
        ("shapes-frame", shapes.ShapesFrameNet()),
    ):
        files[name] = folder / f"{name}.safetensors"
        shapes.save_network(model, files[name], {})
    return files


def test_every_network_says_what_it_takes_and_gives():
    for name, spec in NETWORKS.items():
        assert spec.name == name
        assert bool(spec.weight_files) != bool(spec.bundled)
        assert (spec.metric_suffix == "-shapes") == bool(spec.bundled)
        assert spec.min_frames >= 1
        assert spec.output == next(iter(spec.outputs))
        assert spec.num_features == spec.outputs[spec.output]
        assert spec.resize == spec.resizes[0]
        assert spec.opener
        assert spec.max_frames is None or spec.max_frames >= spec.min_frames
    assert set(NETWORKS) == {
        "i3d",
        "i3d-videogpt",
        "videomae",
        "c3d",
        "inception",
        "shapes",
        "shapes-frame",
    }


def test_networks_are_described_without_torch():
    code = (
        "import sys, evaluation.networks.registry as registry;"
        "from evaluation.networks.weights import locate_weights;"
        "locate_weights(registry.network('shapes')); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "scipy", "safetensors"} & set(done.stdout.split())


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"i3d-videogtp.*did you mean i3d-videogpt"):
        network("i3d-videogtp")


def test_i3d_gives_the_golden_logits(i3d, golden, golden_clips):
    features = i3d(golden_clips)
    assert features.dtype == np.float32
    assert np.abs(features - golden["logits"]).max() <= 2e-5 * np.abs(golden["logits"]).max()


def test_the_fused_network_is_used_after_it_agreed_on_the_probe(i3d):
    assert i3d.implementation == "own network, fused"
    assert 0 < i3d.probe_difference < 1e-5


def test_the_two_i3ds_differ_by_their_epsilon(state_dict_file, golden, golden_clips):
    features = build("i3d-videogpt", state_dict_file)(golden_clips[:1])
    expected = golden["logits_eps_1e-5"]
    assert np.abs(features - expected[:1]).max() <= 2e-5 * np.abs(expected).max()


def test_a_folding_that_went_wrong_is_not_used(
    state_dict, state_dict_file, small_clips, monkeypatch
):
    def wrong(model):
        broken = I3D()
        broken.load_state_dict(state_dict)
        broken.logits.conv3d.bias.data += 1
        return broken

    monkeypatch.setattr("evaluation.networks.i3d.fold_batch_norms", wrong)
    monkeypatch.setattr("evaluation.networks.i3d.fuse", wrong)
    extractor = build("i3d", state_dict_file)
    assert extractor.implementation == "own network"
    assert extractor.probe_difference > 1e-2
    model = I3D()
    model.load_state_dict(state_dict)
    with torch.inference_mode():
        expected = model(preprocess(torch.from_numpy(small_clips[:1])))
    assert np.array_equal(extractor(small_clips[:1]), expected.numpy())


def test_rows_of_i3d_have_the_same_bits_in_any_grouping(i3d, small_clips):
    parts = [i3d(small_clips[2:]), i3d(small_clips[:2])]
    assert np.array_equal(i3d(small_clips), np.concatenate(parts[::-1]))


def test_rows_of_i3d_have_the_same_bits_on_any_number_of_threads(i3d, small_clips):
    before, rows = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            rows.append(i3d(small_clips))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(*rows)


@pytest.mark.parametrize("name", ["shapes", "shapes-frame"])
def test_rows_of_the_embedded_networks_have_the_same_bits_in_any_grouping(name, shapes_files):
    clips = np.random.default_rng(0).integers(0, 256, (19, 16, 32, 32, 3), dtype=np.uint8)
    whole = build(name, shapes_files[name], batch_size=16)(clips)
    for pieces in ([1, 4, 5], [8, 16], range(1, 19)):
        extractor = build(name, shapes_files[name], batch_size=3)
        parts = [extractor(part) for part in np.split(clips, list(pieces))]
        assert np.array_equal(whole, np.concatenate(parts))


def test_embedded_networks_describe_clips_and_frames(shapes_files):
    clips = np.zeros((3, 16, 32, 32, 3), dtype=np.uint8)
    of_clips = build("shapes", shapes_files["shapes"])
    of_frames = build("shapes-frame", shapes_files["shapes-frame"])
    assert of_clips(clips).shape == (3, 64)
    assert of_frames(clips).shape == (3, 16, 64)
    assert of_clips(clips[:0]).shape == (0, 64)
    assert of_frames(clips[:0]).shape == (0, 16, 64)
    assert of_frames.probabilities(of_frames(clips)).shape == (3, 16, 10)


def test_probabilities_are_the_softmax_of_the_networks_own_logits(shapes_files):
    clips = np.random.default_rng(0).integers(0, 256, (5, 16, 32, 32, 3), dtype=np.uint8)
    extractor = build("shapes", shapes_files["shapes"])
    model = shapes.load_network(shapes.ShapesVideoNet, shapes_files["shapes"])
    expected = model(torch.from_numpy(clips)).double().softmax(dim=1)
    found = extractor.probabilities(extractor(clips))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)


def test_probabilities_of_i3d_are_the_softmax_of_its_features(i3d):
    features = np.array([[0.0] * 399 + [np.log(401)], [1000.0] + [0.0] * 399])
    assert i3d.probabilities(features)[0, -1] == pytest.approx(401 / 800)
    assert i3d.probabilities(features)[1, 0] == 1


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (np.zeros((1, 9, 8, 8, 3), np.uint8), r"\b10 frames.*\b9\b"),
        (np.zeros((1, 16, 8, 8, 3), np.float32), "float32"),
        (np.zeros((16, 8, 8, 3), np.uint8), r"\(16, 8, 8, 3\)"),
        (np.zeros((1, 3, 16, 8, 8), np.uint8), r"\(1, 3, 16, 8, 8\)"),
    ],
)
def test_clips_of_another_kind_are_refused(i3d, clips, message):
    with pytest.raises(InputError, match=message):
        i3d(clips)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "meta", "mps", "cuda:x", "cuda:-1"])
def test_a_device_that_is_not_there_is_refused(device, shapes_files):
    with pytest.raises(InputError, match=f"device.*{device}"):
        build("shapes", shapes_files["shapes"], device)


def test_weights_may_be_named_as_text(shapes_files):
    extractor = build("shapes", str(shapes_files["shapes"]))
    assert extractor.weights.path == shapes_files["shapes"]
    assert not extractor.weights.published


def test_each_embedded_network_is_of_the_version_its_spec_says():
    assert {NETWORKS[name].version for name in ("shapes", "shapes-frame")} == {int(shapes.VERSION)}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"output": "pool"}, r"i3d.*\boutput.*\bpool\b.*logits.*pooled"),
        ({"resize": "clean"}, r"i3d.*\bresize.*\bclean\b.*squash.*crop"),
    ],
)
def test_an_output_or_resizing_that_a_network_has_not_is_refused(choice, message):
    with pytest.raises(InputError, match=message):
        build("i3d", "no such file", **choice)  # said before any file is looked for


def test_choosing_an_output_and_a_resizing_changes_the_spec_alone():
    spec = network("i3d")
    chosen = spec.choose("pooled", "crop")
    assert (chosen.output, chosen.num_features, chosen.resize) == ("pooled", 1024, "crop")
    assert (spec.output, spec.num_features, spec.resize) == ("logits", 400, "squash")
    assert chosen.choose() == spec
    assert spec.choose("logits", "squash") == spec


def test_pooled_features_and_crops_of_a_state_dict(state_dict, state_dict_file, small_clips):
    extractor = build("i3d-videogpt", state_dict_file, output="pooled", resize="crop")
    assert extractor.implementation == "own network, fused"
    model = I3D(1e-5)
    model.load_state_dict(state_dict)
    with torch.inference_mode():
        expected = model.pooled(preprocess_crop(torch.from_numpy(small_clips[:1]))).numpy()
    found = extractor(small_clips[:1])
    assert found.shape == (1, 1024)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert extractor(small_clips[:0]).shape == (0, 1024)


@pytest.mark.parametrize("name", ["shapes", "shapes-frame"])
def test_logits_of_the_embedded_networks_are_an_output_too(name, shapes_files):
    clips = np.random.default_rng(0).integers(0, 256, (3, 16, 32, 32, 3), dtype=np.uint8)
    pooled = build(name, shapes_files[name])
    logits = build(name, shapes_files[name], output="logits")
    assert logits(clips).shape == (*pooled(clips).shape[:-1], 10)
    assert logits(clips[:0]).shape[-1] == logits.spec.num_features == 10
    assert pooled.has_classes
    assert logits.has_classes
    found = logits.probabilities(logits(clips))
    np.testing.assert_allclose(found, pooled.probabilities(pooled(clips)), rtol=1e-4)


def test_features_that_are_probabilities_already_stay_as_they_are(shapes_files):
    extractor = build("shapes", shapes_files["shapes"])
    extractor.spec = network("c3d")
    rows = np.array([[0.25, 0.75], [1, 0]], dtype=np.float32)
    assert np.array_equal(extractor.probabilities(rows), rows)


def test_a_network_without_classes_says_so():
    extractor = Extractor(
        spec=network("inception"),
        weights=LocatedWeights(path=Path("w.pt"), sha256="", published=False, label=""),
        device="cpu",
        run=OpenedNetwork(forward=lambda clips: clips, implementation="own network"),
    )
    assert not extractor.has_classes
    with pytest.raises(InputError, match=r"inception.*w\.pt.*classes"):
        extractor.probabilities(np.zeros((1, 2048)))


def test_a_cpu_by_its_other_name_is_the_same(make_clips):
    clips = make_clips(3, 8, 32, 32)
    other = build("shapes", device="cpu:0", batch_size=3)
    assert other.device == "cpu"
    assert np.array_equal(other(clips), build("shapes", batch_size=1)(clips))
