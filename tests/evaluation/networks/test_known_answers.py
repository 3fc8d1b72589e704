"""The day somebody has the published files, this must simply work: tried with formula weights."""

import dataclasses
import functools
import hashlib
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from evaluation.metrics import inception_score
from evaluation.networks import known_answers, verification
from evaluation.networks.known_answers import (
    ANSWERS,
    KnownAnswer,
    black_against_white,
    cd_fvd_example,
    cifar_fid,
    cifar_inception_score,
    noise_against_noise,
    numpy_noise,
)
from evaluation.networks.registry import NETWORKS
from evaluation.networks.spec import SHA256
from evaluation.networks.verification import all_passed, checks_table, integrity, verify
from latte.data.errors import InputError

BLACK, NOISE, EXAMPLE = "black from white", "noise from noise", "an example"


def frechet(x, y, ddof):
    """By covariances and the eigenvalues of their product."""
    first, second = (np.cov(rows, rowvar=False, ddof=ddof) for rows in (x, y))
    roots = np.sqrt(np.linalg.eigvals(first @ second).real.clip(0)).sum()
    means = np.square(x.mean(0) - y.mean(0)).sum()
    return float(means + np.trace(first) + np.trace(second) - 2 * roots)


def answer(what, measure, expected, **more):
    settings = {
        "network": "i3d",
        "resize": "crop",
        "tolerance": 1e-3,
        "source": "a paper",
        "torchscript_only": True,
    }
    return KnownAnswer(what=what, measure=measure, expected=expected, **settings | more)


@pytest.fixture(scope="module", autouse=True)
def each_network_is_opened_once():
    """Networks are the same in all of these tests, and slow to open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "build", functools.cache(verification.build))
        yield


@pytest.fixture(scope="module")
def published_logits(detector_file):
    """The scripted network on values that are in their range already, as the sources call it."""
    module = torch.jit.load(str(detector_file()))

    def logits(x):
        with torch.inference_mode():
            return module(x, rescale=False, resize=False, return_features=True).double().numpy()

    return logits


@pytest.fixture(scope="module")
def formula_answers(published_logits):
    """What the formula's weights give for inputs as those of the published answers."""
    black, white = (published_logits(torch.full((1, 3, 11, 224, 224), v)) for v in (-1.0, 1.0))
    apart = float(np.square(black - white).sum())
    clips = [
        np.random.RandomState(seed).rand(3, 10, 224, 224, 3).astype(np.float32) for seed in (1, 2)
    ]
    rows = [published_logits(torch.from_numpy(each).permute(0, 4, 1, 2, 3)) for each in clips]
    return (
        answer(BLACK, partial(black_against_white, num_frames=11), apart),
        answer(
            NOISE,
            partial(noise_against_noise, num_clips=3, num_frames=10),
            frechet(*rows, ddof=1),
            slow=True,
        ),
    )


@pytest.fixture(scope="module")
def checks(detector_file, formula_answers):
    return verify("i3d", detector_file(), trust_weights=True, answers=formula_answers)


def of(checks, what):
    return next(check for check in checks if check.what == what)


def test_a_file_that_gives_the_known_answers_passes(checks, formula_answers):
    for known in formula_answers:
        check = of(checks, known.what)
        assert check.passed is True
        assert check.got == pytest.approx(known.expected, rel=1e-4)
        assert check.difference == pytest.approx(abs(check.got / known.expected - 1))
        assert (check.expected, check.tolerance, check.source) == (known.expected, 1e-3, "a paper")
    probe = next(check for check in checks if "probe" in check.what)
    assert probe.passed is True
    assert "own network, fused" in probe.note
    assert all_passed(checks)


def test_a_file_that_does_not_give_them_fails(detector_file, formula_answers):
    off = [dataclasses.replace(a, expected=a.expected * 1.002) for a in formula_answers[:1]]
    checks = verify("i3d", detector_file(), trust_weights=True, answers=off)
    assert of(checks, BLACK).passed is False
    assert not all_passed(checks)
    assert "FAILED" in checks_table(checks)


def test_the_same_tensors_with_another_epsilon_are_found_out(detector_file, formula_answers):
    path = detector_file(batch_norm_eps=1e-5)
    checks = verify("i3d", path, trust_weights=True, answers=formula_answers[:1])
    assert of(checks, BLACK).passed is False
    probe = next(check for check in checks if "probe" in check.what)
    assert probe.passed is None  # the file itself runs
    assert "torchscript as published" in probe.note


def test_quick_leaves_the_slow_ones_out(detector_file, formula_answers):
    checks = verify(
        "i3d", detector_file(), trust_weights=True, quick=True, answers=formula_answers[1:]
    )
    left_out = of(checks, NOISE)
    assert (left_out.passed, left_out.got, left_out.note) == (None, None, "skipped by --quick")
    assert all_passed(checks)


def test_answers_of_the_torchscript_file_are_not_asked_of_a_state_dict(
    state_dict_file, formula_answers
):
    known = dataclasses.replace(formula_answers[0], network="i3d-videogpt")
    checks = verify("i3d-videogpt", state_dict_file, answers=[known])
    assert of(checks, BLACK).note == "published for the TorchScript file"
    assert all(check.passed is not False for check in checks)


def test_noise_in_parts_is_the_noise_of_the_whole():
    whole = np.random.RandomState(3).rand(7, 2, 6, 6, 3).astype(np.float32)
    parts = list(numpy_noise(3, 7, 2, size=6))
    assert [len(part) for part in parts] == [4, 3]
    assert np.array_equal(torch.cat(parts).permute(0, 2, 3, 4, 1), whole)


def test_every_published_answer_is_of_a_network_and_a_resizing_that_exist():
    for known in ANSWERS:
        assert known.resize in NETWORKS[known.network].resizes
        assert known.expected > 0
        assert 0 < known.tolerance < 1e-2
        assert known.source
    black = {
        known.measure.keywords["num_frames"]: known.expected
        for known in ANSWERS
        if isinstance(known.measure, partial) and known.measure.func is black_against_white
    }
    assert sorted(black) == list(range(10, 31))
    assert (black[10], black[30]) == (569.2296, 151.25648496845326)


@pytest.mark.parametrize("name", ["shapes", "shapes-frame"])
def test_a_network_without_published_answers_says_so(name):
    checks = verify(name)
    assert all(check.passed is None for check in checks)
    assert checks[0].note == "bundled with latte-eval"
    assert checks[-1].note == "nothing is published for this network"


def test_the_table_and_json_hold_every_check(checks):
    text = checks_table(checks)
    assert text.count("passed") == sum(check.passed is True for check in checks)
    assert "published by:\n  a paper" in text
    assert json.loads(json.dumps([dataclasses.asdict(check) for check in checks]))


class Means:
    """A network whose features are the mean colours of a clip, or of each frame."""

    def __init__(self, unit, path, name="i3d-videogpt"):
        self.unit, self.device = unit, torch.device("cpu")
        self.weights = SimpleNamespace(path=path)
        self.spec = SimpleNamespace(name=name, num_features=3)

    def __call__(self, clips):
        axes = (1, 2, 3) if self.unit == "clip" else (2, 3)
        return np.asarray(clips).mean(axes).astype(np.float32)

    def probabilities(self, features):
        exponentials = np.exp(np.asarray(features, dtype=np.float64) / 32)
        return exponentials / exponentials.sum(-1, keepdims=True)


def test_cd_fvds_example_is_clips_against_statistics(tmp_path):
    random = np.random.default_rng(0)
    clips = random.integers(0, 256, (11, 16, 4, 4, 3), dtype=np.uint8)
    other = random.normal(130, 4, (50, 3))
    np.save(tmp_path / "clips.npy", clips)
    np.savez(tmp_path / "i3d-videogpt.npz", mu=other.mean(0), sigma=np.cov(other.T, ddof=0))
    rows = clips.mean((1, 2, 3))
    found = cd_fvd_example(Means("clip", tmp_path), tmp_path)
    assert found == pytest.approx(frechet(rows, other, ddof=0), rel=1e-5)


@pytest.mark.parametrize("content", [b"", b"not an array"])
def test_example_files_that_cannot_be_read_are_refused(content, tmp_path):
    (tmp_path / "clips.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"clips\.npy: cannot be read as an array"):
        cd_fvd_example(Means("clip", tmp_path), tmp_path)


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """Two files as CIFAR-10's, of 40 images, and their pixels (40, 32, 32, 3)."""
    monkeypatch.setattr(known_answers, "CIFAR_BYTES", (3073, 40))
    images = []
    for seed, name in enumerate((known_answers.CIFAR_TRAIN, known_answers.CIFAR_TEST)):
        random = np.random.default_rng(seed)
        shift = random.integers(0, 100, (40, 1, 1, 3))
        pixels = (random.integers(0, 150, (40, 32, 32, 3)) + shift).astype(np.uint8)
        labels = np.full((40, 1), 9, np.uint8)
        planes = pixels.transpose(0, 3, 1, 2).reshape(40, -1)
        np.concatenate([labels, planes], axis=1).tofile(tmp_path / name)
        images.append(pixels)
    return tmp_path, images


def test_fid_and_is_of_cifar_images(cifar):
    folder, (train, test) = cifar
    network = Means("frame", folder)
    x, y = train[:30].mean((1, 2)), test[:30].mean((1, 2))
    fid = cifar_fid(network, folder, num_images=30)
    assert fid == pytest.approx(frechet(x, y, ddof=1), rel=1e-5)
    score = cifar_inception_score(network, folder, num_images=30)
    order = np.random.RandomState(2020).permutation(30)
    expected, _ = inception_score(network.probabilities(x)[order], splits=10, shuffle_seed=None)
    assert score == pytest.approx(expected, rel=1e-5)


def test_files_that_are_not_cifars_are_refused(cifar):
    folder, _ = cifar
    (folder / known_answers.CIFAR_TRAIN).write_bytes(b"\0" * 3073)
    with pytest.raises(InputError, match=r"data_batch_1\.bin: .*\b3073\b.*\b122920\b"):
        cifar_inception_score(Means("frame", folder), folder, num_images=30)
    (folder / known_answers.CIFAR_TRAIN).unlink()
    with pytest.raises(InputError, match=r"data_batch_1\.bin: no such file"):
        cifar_inception_score(Means("frame", folder), folder, num_images=30)


def test_answers_from_files_name_them_where_no_folder_is_given(state_dict_file):
    example = answer(
        EXAMPLE,
        cd_fvd_example,
        1.0,
        network="i3d-videogpt",
        files=("clips.npy", "i3d-videogpt.npz"),
        torchscript_only=False,
    )
    checks = verify("i3d-videogpt", state_dict_file, answers=[example])
    check = of(checks, EXAMPLE)
    assert check.passed is None
    assert check.note == "give --data FOLDER with clips.npy and i3d-videogpt.npz"


@pytest.mark.parametrize("genuine", [True, False])
def test_content_is_compared_with_the_published_hash(genuine, tmp_path, monkeypatch):
    file = NETWORKS["inception"].weight_files[1]
    path = tmp_path / file.file_name
    path.write_bytes(b"weights")
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    spec = dataclasses.replace(
        NETWORKS["inception"],
        weight_files=(dataclasses.replace(file, hash=(SHA256, digits if genuine else "6726825d")),),
    )
    extractor = SimpleNamespace(spec=spec, weights=SimpleNamespace(path=path))
    check = integrity(extractor)
    assert check.passed is genuine
    assert check.got == f"SHA-256 {digits}"
    assert check.source == file.url


def test_content_under_another_name_is_recognised_or_only_shown(detector_file):
    first = answer(EXAMPLE, cd_fvd_example, 1.0, files=("clips.npy",))
    checks = verify("i3d", detector_file(), trust_weights=True, answers=[first])
    assert checks[0].passed is None
    assert "other than that of i3d_torchscript.pt and i3d_pretrained_400.pt" in checks[0].note
    assert checks[0].got.startswith("SHA-256 ")
