import re
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.studies.speed import generator as speed_generator
from benchmarks.studies.speed.formulations import DiffusersLatte, PlainLatte
from benchmarks.studies.speed.generator import (
    IMPLEMENTATIONS,
    MODELS,
    GeneratorSpeedRequest,
    needed_bytes,
    plan,
    run,
    time_task,
    timing_table,
)
from benchmarks.studies.speed.generator_jobs import (
    GUIDANCE_SCALE,
    Implementation,
    Workbench,
    compiled_twin,
    guided,
    random_model,
)
from benchmarks.studies.speed.timing import time_in_turns
from latte.config import LatteConfig, preset
from latte.data.errors import InputError
from latte.model import Latte
from latte.model.blocks import Block
from reports.provenance import Provenance

GOLDEN = Path(__file__).parents[2] / "golden"
CPU = torch.device("cpu")
TINY = LatteConfig(8, 4, 4, 32, 2, 2, 4, num_classes=3)
EAGER = tuple(one for one in IMPLEMENTATIONS if not one.compiled)


@pytest.fixture(scope="module")
def bench():
    return Workbench(TINY, EAGER)


@pytest.fixture(autouse=True)
def _small_products(monkeypatch):
    monkeypatch.setitem(speed_generator.PEAK_SIZES, "cpu", 64)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return random_model(LatteConfig(8, 2, 4, 96, 4, 4, 4, num_classes=5))


def inputs():
    x = torch.randn(3, 4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return x, torch.tensor([0, 500, 999]), torch.tensor([4, 0, 5])


def assert_close(found, wanted):
    torch.testing.assert_close(found, wanted, atol=1e-5 * float(wanted.abs().max()), rtol=0)


# The same network by other implementations


def test_the_plain_formulation_computes_what_the_official_code_does(weight, uniform):
    config = LatteConfig(8, 2, 4, 96, 4, 4, 4, num_classes=5)
    official = Latte(config)
    for name, parameter in official.named_parameters():
        values = weight(name, tuple(parameter.shape))
        parameter.data = values * (0.5 if parameter.ndim > 1 else 1.0)
    x = torch.from_numpy(uniform("latent", (2, 4, 4, 8, 8)).astype(np.float32) * np.float32(1.7))
    with np.load(GOLDEN / "latte.npz") as arrays:
        wanted = torch.from_numpy(arrays["class_conditional"])
    with torch.no_grad():
        found = PlainLatte(official)(x, torch.tensor([17, 801]), torch.tensor([1, 4]))
    assert_close(found, wanted)


@pytest.mark.parametrize("formulation", [PlainLatte, DiffusersLatte])
def test_all_formulations_agree_in_results_and_gradients(formulation, model):
    x, t, y = inputs()
    gradients = []
    for network in (model, formulation(model)):
        x = x.detach().requires_grad_()
        out = network(x, t, y)
        out.square().sum().backward()
        gradients.append(x.grad)
        if network is model:
            wanted = out.detach()
    assert_close(out.detach(), wanted)
    assert_close(gradients[1], gradients[0])
    assert wanted.abs().max() > 0.1


def test_guidance_of_any_network_is_that_of_the_model(model):
    x, t, y = inputs()
    t = t[1:2].expand(3)
    with torch.no_grad():
        found = guided(model, model.config)(x, t, y)
        labels = torch.cat([y, torch.full_like(y, 5)])
        wanted = model.forward_with_guidance(
            x.repeat(2, 1, 1, 1, 1), t.repeat(2), labels, GUIDANCE_SCALE
        )[:3]
    assert_close(found, wanted)


def test_the_compiled_twin_has_the_models_own_weights(model, monkeypatch):
    compiled = []
    monkeypatch.setattr(Block, "compile", lambda block, **_: compiled.append(block))
    twin = compiled_twin(model)
    assert compiled == list(twin.blocks)
    weights = twin.state_dict(keep_vars=True)
    for name, tensor in model.state_dict(keep_vars=True).items():
        assert weights[name] is tensor


# Timing


def test_training_moves_averages_and_leaves_shared_weights(bench):
    before = [p.detach().clone() for p in bench.networks["ours"].parameters()]
    for network in ("plain", "diffusers", "ours"):
        job = bench.job("training", Implementation(network))
        job()
        job()
        assert len(bench.trainers[network].optimizer.state) > 20
    for old, new in zip(before, bench.networks["ours"].parameters(), strict=True):
        assert torch.equal(old, new)
        assert new.grad is None


def test_jobs_take_turns():
    order = []
    jobs = {name: lambda name=name: order.append(name) for name in "ab"}
    times = time_in_turns(jobs, 3)
    assert order == list("ababab")
    assert set(times) == {"a", "b"}
    assert min(times["a"] + times["b"]) > 0


@pytest.mark.parametrize("task", ["forward", "training", "sampling"])
def test_a_row_for_each_implementation_with_ratios_and_the_share_of_the_peak(bench, task):
    found = time_task(bench, "tiny", task, EAGER, repetitions=1)
    rows = found.rows()
    assert [row.label for row in rows] == [
        "plain, fp32",
        "diffusers, fp32",
        "ours, fp32",
        "plain, bf16",
        "diffusers, bf16",
        "ours, bf16",
    ]
    ours = rows[2].cells
    ratio = found.seconds[Implementation("plain")] / found.seconds[Implementation("ours")]
    assert ours["times"].value == ours["same"].value == ratio
    share = found.flops / found.seconds[Implementation("ours")] / found.peak["fp32"]
    assert ours["peak"].value == pytest.approx(100 * share)
    assert rows[0].cells["times"].text == rows[3].cells["same"].text == "1.00"


def test_a_machine_without_a_compiler_gets_the_other_rows(bench, monkeypatch):
    class NoCompilerError(RuntimeError):
        __module__ = "torch._inductor.exc"

    def fail():
        raise NoCompilerError

    compiled = Implementation("ours", compiled=True)
    monkeypatch.setitem(bench.networks, "ours, compiled", None)
    whole = bench.job
    monkeypatch.setattr(bench, "job", lambda task, one: fail if one.compiled else whole(task, one))
    found = time_task(bench, "tiny", "forward", (Implementation("plain"), compiled), repetitions=1)
    made = timing_table([found], Provenance())
    (row,) = (row for row in made.rows if row.label == "ours, fp32, compiled")
    assert row.cells["seconds"].is_empty
    assert found.seconds.keys() == {Implementation("plain")}


# The command


def test_the_documents_are_written_and_the_table_is_printed(tmp_path, section, capsys, monkeypatch):
    monkeypatch.setattr(speed_generator, "preset", lambda name, **_: TINY)
    run(tmp_path, GeneratorSpeedRequest(device="cpu", compiled=False, quick=True))
    text = (tmp_path / "speed_generator.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert "Latte-B/2: " in text
    assert ", compiled" not in text
    assert (tmp_path / "speed_generator.csv").stat().st_size > 0
    assert (tmp_path / "speed_generator.tex").stat().st_size > 0
    report = section(tmp_path, "speed-generator")
    rows = {row.label: row.cells for row in report.blocks[0].table.rows if "forward" in row.section}
    ratio = rows["plain, fp32"]["seconds"].value / rows["ours, fp32"]["seconds"].value
    assert re.match(rf"Latte-B/2, .*fp32: ours .*\b{ratio:.2f} .*plain", report.lead)
    (made,) = report.blocks[-1].records
    assert made.command
    assert made.seconds is not None


def test_large_models_are_only_run_forward_on_a_cpu(monkeypatch):
    monkeypatch.setattr(speed_generator, "free_bytes", lambda _: 1e15)
    planned = plan((), CPU, quick=False)
    assert {name: tasks for name, (_, tasks) in planned.items()} == {
        "Latte-B/2": ("forward", "training", "sampling"),
        "Latte-XL/2": ("forward",),
    }
    assert list(plan((), CPU, quick=True)) == list(MODELS[:1])
    assert planned["Latte-B/2"][0].num_classes == 101


def test_what_there_is_no_memory_for_is_left_out_or_refused(monkeypatch):
    base = preset("Latte-B/2", num_classes=101)
    free = needed_bytes(base, ("forward",)) + 1
    monkeypatch.setattr(speed_generator, "free_bytes", lambda _: free)
    assert plan((), CPU, quick=False) == {"Latte-B/2": (base, ("forward",))}
    with pytest.raises(InputError, match=r"Latte-XL/2: .*\d+\.\d GB"):
        plan(["Latte-XL/2"], CPU, quick=False)


def test_unknown_models_are_refused_with_the_nearest_names():
    with pytest.raises(InputError, match=r"latte-b/2.* did you mean .*Latte-B/2"):
        plan(["latte-b/2"], CPU, quick=False)
