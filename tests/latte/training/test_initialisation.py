"""Runs that begin with weights of a file, and the designs of the paper's ablations."""

import csv
from dataclasses import replace

import pytest
import torch

from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.model import Latte
from latte.model.checkpoints import load_checkpoint, save_checkpoint
from latte.sampling.plan import SampleRequest
from latte.sampling.run import sample
from latte.training.config import ModelTable, load_config
from latte.training.prepare import initial_model

VIDEO = LatteConfig(8, 2, 4, 32, 4, 2, 3, num_classes=5)
IMAGE = replace(VIDEO, num_frames=1, num_classes=10, temporal_attention=False)


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def weights_of(path):
    return load_checkpoint(path).state_dict


@pytest.fixture
def dit(tiny, weight, tmp_path):
    """A DiT of the tiny network's sizes, in `dit.pt`: another label table, and no time."""
    sizes = tiny().model.latte_config(input_size=8, in_channels=3, num_frames=4, num_classes=7)
    state = {
        name: weight(name, tuple(tensor.shape)) * 0.3
        for name, tensor in Latte(sizes).state_dict().items()
        if name != "temp_embed"
    }
    torch.save(state, tmp_path / "dit.pt")
    return state


def test_a_run_may_begin_with_a_dit_or_a_checkpoint(run, dit, tmp_path, caplog):
    start = f"model.initialise_from={tmp_path / 'dit.pt'}"
    slow = ["training.learning_rate=1e-12", "training.steps=2"]
    weights = weights_of(run(start, *slow, "model.dit_blocks=both", out="dit"))
    assert "were taken from the DiT" in caplog.text
    assert "DiT's label table was dropped" in caplog.text
    torch.testing.assert_close(
        weights["blocks.1.attn.qkv.weight"], dit["blocks.0.attn.qkv.weight"], rtol=0, atol=1e-6
    )
    first = tmp_path / "dit" / "checkpoints" / "0000002" / "ema.safetensors"
    again = weights_of(run(f"model.initialise_from={first}", *slow, out="again"))
    assert f"{first}: all weights taken" in caplog.text
    for name, tensor in again.items():
        torch.testing.assert_close(tensor, weights[name], rtol=0, atol=1e-6)


@pytest.mark.usefixtures("dit")
def test_to_go_on_the_first_weights_are_not_needed(run, tmp_path, caplog):
    start = f"model.initialise_from={tmp_path / 'dit.pt'}"
    run(start, "training.steps=1")
    (tmp_path / "dit.pt").unlink()
    caplog.clear()
    run(start)
    assert "taken from the DiT" not in caplog.text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["model.variant=2"], r"variant 1\b.*\b2\b"),
        (["model.num_heads=4"], r"num_heads 2\b.*\b4\b"),
        (["model.hidden_size=24"], "same .model. table"),
        (["model.conditioning=all-tokens"], "initialise_from.*conditioning"),
    ],
)
def test_weights_of_another_network_are_refused(run, tmp_path, changes, sentence):
    first = run("training.steps=1", out="first")
    with pytest.raises(InputError, match=sentence):
        run(*changes, f"model.initialise_from={first}")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_first_file_that_is_not_there_is_one_sentence(run):
    with pytest.raises(InputError, match=r"gone\.safetensors: .*no such file"):
        run("model.initialise_from=gone.safetensors")


@pytest.fixture
def table(tmp_path):
    """The [model] table of a run that begins with the file which this writes."""

    def write(config: LatteConfig, **change: str) -> tuple[ModelTable, Latte]:
        torch.manual_seed(1)
        model = Latte(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter)
        path = tmp_path / "ema.safetensors"
        save_checkpoint(path, config, model.state_dict(), {})
        sizes = {"patch_size": 2, "hidden_size": 32, "depth": 4, "num_heads": 2}
        return ModelTable(**sizes, initialise_from=str(path), **change), model

    return write


@pytest.mark.parametrize(("blocks", "source"), [("name", 3), ("both", 1)])
def test_an_image_model_initialises_one_of_videos(table, blocks, source):
    start, image_model = table(IMAGE, dit_blocks=blocks)
    model, notes = initial_model(VIDEO, start, 0)
    torch.testing.assert_close(
        model.blocks[3].attn.qkv.weight, image_model.blocks[source].attn.qkv.weight, rtol=0, atol=0
    )
    assert not model.y_embedder.embedding_table.weight.any()
    assert "were taken from the DiT" in notes[0]


def test_rotary_positions_do_not_make_a_video_model_an_image_model(table):
    config = replace(VIDEO, temporal_position="rotary")
    start, other = table(config)
    model, notes = initial_model(config, start, 0)
    assert "all weights taken" in notes[0]
    labels = "y_embedder.embedding_table.weight"
    torch.testing.assert_close(model.state_dict()[labels], other.state_dict()[labels])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num_frames": 5}, "positions computed for 5 frames (it has 3)"),
        ({"input_size": 12}, "positions computed for 36 places in a frame (it has 16)"),
        ({"num_classes": 7}, "its labels of 5 classes dropped; those of 7 classes are zero"),
        ({"num_classes": None}, "its labels of 5 classes dropped"),
    ],
)
def test_clips_of_other_sizes_lengths_or_classes_take_what_fits(table, change, sentence):
    start, other = table(VIDEO)
    config = replace(VIDEO, **change)
    model, (note,) = initial_model(config, start, 0)
    assert sentence in note
    weights, theirs, fresh = model.state_dict(), other.state_dict(), Latte(config).state_dict()
    for name, tensor in weights.items():
        if name in ("pos_embed", "temp_embed"):
            assert torch.equal(tensor, fresh[name])
        elif "y_embedder" in name and change.get("num_classes"):
            assert not tensor.any()
        else:
            assert torch.equal(tensor, theirs[name])


def test_classes_that_the_file_has_not_are_zero_at_first(table):
    start, _ = table(replace(VIDEO, num_classes=None))
    model, (note,) = initial_model(VIDEO, start, 0)
    assert note.endswith("weights taken; those of 5 classes are zero at first")
    assert not model.y_embedder.embedding_table.weight.any()


def test_heads_that_no_file_states_are_those_of_the_run(table, tmp_path):
    start, other = table(VIDEO)
    torch.save({"state_dict": other.state_dict()}, tmp_path / "official.pt")
    path = str(tmp_path / "official.pt")
    model, (note,) = initial_model(VIDEO, replace(start, initialise_from=path), 0)
    assert note == f"{path}: all weights taken"
    weights = other.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


ABLATIONS = {
    "5a uniform": [],
    "5a compression": ["model.patch_embedding=compression"],
    "5b all tokens": ["model.conditioning=all-tokens"],
    "5c rotary": ["model.temporal_position=rotary"],
    **{
        f"5d DiT {blocks}": ["model.initialise_from={dit}", f"model.dit_blocks={blocks}"]
        for blocks in ("name", "spatial", "both")
    },
    **{f"5e stride {stride}": [f"data.stride={stride}"] for stride in (1, 2, 4, 8, 16)},
    **{f"5f variant {variant}": [f"model.variant={variant}"] for variant in (2, 3, 4)},
    "joint, only video": ["data.images_per_clip=3"],
    "joint, temporal mask": ["data.images_per_clip=3", "model.image_attention=temporal-mask"],
}


@pytest.mark.usefixtures("dit")
@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_of_the_paper_trains_and_can_be_sampled(run, tmp_path, name):
    settings = [each.format(dit=tmp_path / "dit.pt") for each in ABLATIONS[name]]
    path = run(*settings, "training.steps=2", "output.log_every=1")
    losses = [float(row["loss"]) for row in rows(tmp_path / "run" / "log.csv")]
    assert all(0 < loss < 5 for loss in losses)
    request = SampleRequest(
        checkpoint=path,
        out=tmp_path / "samples",
        num_samples=1,
        options={"steps": 2},
        device="cpu",
        progress=False,
    )
    report = sample(request)
    assert (report.made, report.num_frames, report.size) == (1, 4, 8)
    stated = load_checkpoint(path).settings["training"]
    for setting in settings:
        path_of_field, _, value = setting.partition("=")
        table, _, field = path_of_field.partition(".")
        assert str(stated[table][field]) == value


@pytest.mark.parametrize(
    ("size", "millions"), [("S", 32.48), ("B", 129.54), ("L", 456.81), ("XL", 673.68)]
)
def test_the_sizes_of_figure_seven_are_those_of_the_paper(size, millions):
    config = load_config("faceforensics", [f"model.preset=Latte-{size}/2"])
    with torch.device("meta"):
        network = Latte(
            config.model.latte_config(input_size=32, in_channels=4, num_frames=16, num_classes=None)
        )
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count // 10_000 / 100 == millions
