"""What is remembered of networks, and the choice among their implementations."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluation.networks import choices
from evaluation.networks.choices import Choice, choice_key, recall, remember
from evaluation.networks.equivalence import choose, run_exactly
from evaluation.networks.fused import FusedConvolution
from evaluation.networks.registry import build, network
from evaluation.networks.spec import Implementation, NetworkSpec, OpenedFile
from latte.data.errors import InputError

CLIP = torch.zeros(1, 8, 4, 4, 3, dtype=torch.uint8)
CHOICE = Choice("own network, fused", 3e-7, True, {"own network": 2.0, "own network, fused": 1.0})


def implementation(name, *, factor=1.0, seconds=0.0):
    """A network that gives 1, 2, 3 times a factor, after some work of this thread."""

    def forward(clips):
        started = time.thread_time()
        while time.thread_time() - started < seconds:
            pass
        return factor * torch.tensor([[1.0, 2.0, 3.0]]).repeat(len(clips), 1)

    return Implementation(name=name, make=lambda: forward)


def missing_operation():
    raise AttributeError("torch has no such operation")


def chosen(*others, exact=False, **fields):
    reference = implementation("published", seconds=0.01)
    file = OpenedFile(reference=reference, others=others, probes=[CLIP], **fields)
    network, _ = choose(file, exact=exact)
    return network.implementation, network.probe_difference


def test_the_first_implementation_that_agrees_is_taken():
    name, difference = chosen(
        implementation("wrong", factor=1.01),
        Implementation(name="missing", make=missing_operation),
        implementation("fused", factor=1 + 1e-6),
        implementation("folded"),
    )
    assert name == "fused"
    assert difference == pytest.approx(1e-6, rel=0.1)


def test_the_published_path_runs_where_none_agrees_or_none_is_faster():
    name, difference = chosen(
        implementation("wrong", factor=1.01), implementation("nan", factor=1e39)
    )
    assert (name, difference) == ("published", pytest.approx(0.01, rel=1e-3))
    name, difference = chosen(implementation("slow", factor=1 + 1e-6, seconds=0.1))
    assert (name, difference) == ("published", pytest.approx(1e-6, rel=0.1))
    assert chosen(Implementation(name="missing", make=missing_operation)) == ("published", None)


def test_exact_takes_the_published_path_or_our_plain_network():
    others = (implementation("fused"), implementation("plain"))
    assert chosen(*others, exact=True) == ("published", None)
    # Where the published path does not give the features, ours must have reproduced it.
    refusal = {"refusal": lambda difference: InputError(f"differs by {difference}")}
    assert chosen(*others, exact=True, **refusal) == ("plain", 0)
    assert chosen(*others, **refusal) == ("fused", 0)
    with pytest.raises(InputError, match=r"differs by 0\.0"):
        chosen(implementation("wrong", factor=1.01), exact=True, **refusal)
    with pytest.raises(InputError, match="differs by None"):
        chosen(**refusal)


def test_a_choice_comes_back_as_it_was_kept(choices_folder):
    assert recall("key") is None
    remember("key", CHOICE)
    assert recall("key") == CHOICE
    assert recall("other") is None
    assert [path.name for path in choices_folder.iterdir()] == ["key.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"name": 1}', b'{"name": "own network"}', b"null"],
)
def test_a_file_that_is_damaged_is_as_good_as_none(content, choices_folder):
    remember("key", CHOICE)
    (choices_folder / "key.json").write_bytes(content)
    assert recall("key") is None
    remember("key", CHOICE)
    assert recall("key") == CHOICE


def test_a_folder_that_cannot_be_written_remembers_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LATTE_CACHE", str(tmp_path / "file"))
    remember("key", CHOICE)
    assert recall("key") is None
    extractor = build("shapes")
    assert extractor.implementation == "own network"


def test_every_condition_of_a_choice_is_in_its_key(monkeypatch):
    spec = network("i3d")
    keys = {
        choice_key(spec, "aa", "cpu", exact=False),
        choice_key(spec, "ab", "cpu", exact=False),
        choice_key(spec, "aa", "NVIDIA H200", exact=False),
        choice_key(spec, "aa", "cpu", exact=True),
        choice_key(spec.choose("pooled"), "aa", "cpu", exact=False),
        choice_key(spec.choose(resize="crop"), "aa", "cpu", exact=False),
        choice_key(network("i3d-videogpt"), "aa", "cpu", exact=False),
        choice_key(replace(spec, version=spec.version + 1), "aa", "cpu", exact=False),
    }
    assert choice_key(network("i3d"), "aa", "cpu", exact=False) in keys
    monkeypatch.setattr(choices, "version", lambda package: "2.99")
    keys.add(choice_key(spec, "aa", "cpu", exact=False))
    monkeypatch.setattr(choices.platform, "machine", lambda: "another processor")
    keys.add(choice_key(spec, "aa", "cpu", exact=False))
    assert len(keys) == 10


def test_a_network_that_is_remembered_is_opened_for_its_first_clip(monkeypatch):
    clips = np.random.default_rng(0).integers(0, 256, (3, 8, 32, 32, 3), dtype=np.uint8)
    expected = build("shapes")(clips)
    openings = []
    read = NetworkSpec.open
    monkeypatch.setattr(
        NetworkSpec, "open", lambda *arguments: openings.append(1) or read(*arguments)
    )
    extractor = build("shapes")
    known = (extractor.implementation, extractor.probe_difference, extractor.has_classes)
    assert known == ("own network", None, True)
    assert extractor.is_known
    assert openings == []
    assert np.array_equal(extractor(clips), expected)
    assert openings == [1]
    assert extractor.probabilities(expected).shape == (3, 10)
    assert openings == [1]


def test_a_remembered_network_needs_no_torch(tmp_path):
    code = (
        "import sys; from evaluation.networks.registry import build; extractor = build('shapes');"
        "print(extractor.implementation, 'torch' in sys.modules)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"LATTE_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert said == [["own", "network", "True"], ["own", "network", "False"]]


def test_a_choice_that_was_changed_is_made_again(choices_folder):
    build("shapes")
    [path] = choices_folder.iterdir()
    written = path.read_text()
    path.write_text(written.replace("own network", "own netwark"))
    assert build("shapes").implementation == "own network"
    assert path.read_text() == written


def test_a_check_of_weights_does_not_rely_on_what_is_remembered(choices_folder):
    build("shapes")
    [path] = choices_folder.iterdir()
    remember(path.stem, CHOICE)
    extractor = build("shapes")
    assert extractor.implementation == CHOICE.name
    extractor.open(afresh=True)
    assert extractor.implementation == "own network"
    assert build("shapes").implementation == "own network"


@pytest.mark.parametrize(
    "error", [AttributeError("no such operation"), RuntimeError("could not create a primitive")]
)
def test_a_faster_way_that_fails_on_this_machine_is_left_out_and_that_is_remembered(
    error, state_dict_file, make_clips, monkeypatch, caplog
):
    caplog.set_level("INFO", "evaluation")

    def failing(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(FusedConvolution, "padded", failing)
        extractor = build("i3d", state_dict_file)
        assert extractor.implementation == "own network, folded"
        assert "own network, fused cannot run here" in caplog.text
    again = build("i3d", state_dict_file)
    assert again.implementation == "own network, folded"
    clips = make_clips(1, 10, 48, 64)
    assert np.array_equal(again(clips), extractor(clips))


def test_what_a_training_has_set_does_not_reach_the_networks():
    linear = torch.nn.Linear(64, 64)
    x = torch.randn(8, 64)
    expected = run_exactly(linear, x)
    seen = []

    def seeing(x):
        seen.append(precisions())
        return linear(x)

    before = precisions()
    try:
        torch.set_float32_matmul_precision("medium")
        torch.backends.cudnn.benchmark = True
        set_by_caller = precisions()
        with torch.autocast("cpu", torch.bfloat16):
            found = run_exactly(seeing, x)
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)
        assert seen == [("highest", False, False)]
        assert precisions() == set_by_caller == ("medium", True, True)
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.benchmark = False
    assert precisions() == before


def precisions():
    cudnn = torch.backends.cudnn
    return torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="PyTorch before 2.9")
def test_precisions_set_by_the_newer_interface_of_torch_do_not_reach_the_networks_either():
    code = """
import torch
from evaluation.networks.equivalence import run_exactly
b = torch.backends
places = [b.cuda.matmul, b.cudnn.conv, b.cudnn.rnn, b.mkldnn.matmul, b.mkldnn.conv]
seen = lambda: [place.fp32_precision for place in places]
b.fp32_precision = "tf32"
b.cudnn.rnn.fp32_precision = "ieee"
before = seen()
run_exactly(lambda x: print(*seen(), torch.get_float32_matmul_precision()), torch.zeros(1))
assert seen() == before, seen()
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.split() == ["ieee"] * 5 + ["highest"]


def test_tensors_that_a_training_makes_by_default_are_not_those_of_networks(make_clips, tmp_path):
    clips = make_clips(2, 8, 32, 32)
    expected = build("shapes", exact=True)(clips)
    code = """
import sys, numpy, torch
from evaluation.networks.registry import build
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
numpy.save(sys.argv[2], build("shapes", exact=True)(numpy.load(sys.argv[1])))
assert torch.zeros(1).dtype == torch.float64 and torch.zeros(1).is_meta
"""
    files = [str(tmp_path / name) for name in ("in.npy", "out.npy")]
    np.save(files[0], clips)
    environment = os.environ | {"LATTE_CACHE": str(tmp_path / "other")}
    subprocess.run([sys.executable, "-c", code, *files], check=True, env=environment)
    assert np.array_equal(np.load(files[1]), expected)
