"""What a run refuses: one sentence, and nothing left behind."""

import pytest
import torch

from latte.data.errors import InputError
from latte.training import prepare
from latte.training import run as run_module


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
@pytest.mark.parametrize(
    ("module", "where"), [(run_module, "run_steps"), (prepare, "initial_model")]
)
def test_too_little_memory_is_one_sentence(run, monkeypatch, error, module, where):
    def full(*arguments, **options):
        raise error

    monkeypatch.setattr(module, where, full)
    with pytest.raises(InputError, match=r"memory.*\b2 clips.*training\.batch_size"):
        run()


def test_no_compiler_is_one_sentence_and_other_faults_stay_faults(run, monkeypatch):
    class NoCompilerError(RuntimeError):
        __module__ = "torch._inductor.exc"

    def fail(*arguments, **options):
        raise NoCompilerError("No working C++ compiler found\nand much more")

    monkeypatch.setattr(run_module, "run_steps", fail)
    sentence = r"No working C\+\+ compiler found\b.*training\.compile.*false$"
    with pytest.raises(InputError, match=sentence):
        run()

    def odd(*arguments, **options):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(run_module, "run_steps", odd)
    with pytest.raises(RuntimeError, match=r"^shapes do not match$"):
        run()


def test_a_folder_that_cannot_be_one_is_named(run, tmp_path):
    (tmp_path / "file").write_text("")
    for out in ("file", "file/run", "file/new/run"):
        with pytest.raises(InputError, match=r"file: is a file"):
            run(out=out)


@pytest.mark.parametrize(
    "setting",
    [
        "data.dataset=nowhere",
        "autoencoder.path=weights",
        "data.recipe=other",
        "data.size=10",
        "diffusion.num_steps=9",
        "model.initialise_from=gone.safetensors",
        "autoencoder.cache=latents",
    ],
)
def test_a_run_that_is_refused_leaves_nothing(run, tmp_path, monkeypatch, setting):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        run(setting, out="runs/new")
    assert list(tmp_path.iterdir()) == []


def test_sizes_that_the_autoencoder_cannot_take_are_refused(run, monkeypatch):
    class Vae:
        factor, channels, name, digest = 8, 4, "sd-vae", "1a"

    monkeypatch.setattr(prepare, "open_autoencoder", lambda *arguments, **options: Vae())
    with pytest.raises(InputError, match=r"data\.size.*\b12\b.*multiple of 8"):
        run("data.size=12")
    with pytest.raises(InputError, match=r"^\[model\]: input_size.*\b1\b.*multiple of patch_size"):
        run("data.size=8")


def test_a_cache_of_the_identity_is_refused(run, tmp_path):
    with pytest.raises(InputError, match=r"identity.*cache"):
        run(f"autoencoder.cache={tmp_path / 'cache'}")
