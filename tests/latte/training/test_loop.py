"""The steps of a run, against their formulas."""

import csv
import itertools
import math

import numpy as np
import pytest
import torch

from latte.data.errors import InputError
from latte.training.distributed import Group
from latte.training.loop import learning_rate, sample_numbers, train_step


@pytest.fixture
def steps(by_hand):
    """Maker of (state, function of one step, which gives its row)."""

    def make(*settings):
        run = by_hand(*settings)
        samples = run.training_set.samples(itertools.count(), workers=0)

        def step():
            row = train_step(run, samples)
            run.state.counters.step += 1
            return row

        return run.state, step

    return make


def weights(state):
    return {name: value.detach().clone() for name, value in state.model.named_parameters()}


def gradients_used(state):
    """A list that gets the gradients, by name, with which each step updates the weights."""
    seen = []

    def note(*_):
        seen.append({name: value.grad.clone() for name, value in state.model.named_parameters()})

    state.optimizer.register_step_pre_hook(note)
    return seen


def test_the_learning_rate_rises_and_falls_by_its_formula(tiny):
    training = tiny(
        "training.steps=20",
        "training.warmup_steps=4",
        "training.decay=cosine",
        "training.learning_rate=0.5",
    ).training
    rates = [learning_rate(training, step) for step in range(21)]
    assert rates[:4] == [0.125, 0.25, 0.375, 0.5]
    for step in range(4, 21):
        assert rates[step] == pytest.approx(0.25 * (1 + math.cos(math.pi * (step - 4) / 16)))
    assert rates[4] == 0.5
    assert rates[20] == pytest.approx(0, abs=1e-12)
    constant = tiny("training.warmup_steps=2", "training.learning_rate=0.5").training
    assert [learning_rate(constant, step) for step in (0, 1, 2, 10**9)] == [0.25, 0.5, 0.5, 0.5]
    assert learning_rate(tiny("training.learning_rate=0.5").training, 0) == 0.5
    all_warm = tiny("training.warmup_steps=6", "training.decay=cosine").training
    assert learning_rate(all_warm, 6) == 1e-3


@pytest.mark.parametrize(("processes", "accumulate"), [(1, 1), (1, 3), (2, 1), (3, 2)])
def test_samples_are_dealt_out_once_each_and_in_order(tiny, processes, accumulate):
    training = tiny(f"training.accumulate={accumulate}", "training.steps=5").training
    device = torch.device("cpu")
    groups = [Group(rank=i, world_size=processes, device=device) for i in range(processes)]
    dealt = [list(sample_numbers(training, 0, 0, group)) for group in groups]
    step = 2 * accumulate  # samples of one process in a step
    for number in range(5):
        seen = [hand[number * step : (number + 1) * step] for hand in dealt]
        every = sorted(itertools.chain(*seen))
        assert every == list(range(number * step * processes, (number + 1) * step * processes))
    # One that goes on after two steps sees what is left.
    later = list(sample_numbers(training, 2 * step * processes, 2, groups[-1]))
    assert later == dealt[-1][2 * step :]


def test_the_first_steps_are_those_of_torchs_own_optimizer(steps):
    found = []
    for prepared in (True, False):
        state, step = steps("training.weight_decay=0.01")
        if not prepared:
            state.optimizer.state.clear()
        for _ in range(3):
            step()
        found.append(weights(state))
    for name, tensor in found[0].items():
        assert torch.equal(tensor, found[1][name]), name


def test_a_step_is_adamw_by_its_formula(steps):
    state, step = steps("training.clip_from_step=99", "training.weight_decay=0.1")
    before, gradients = weights(state), gradients_used(state)
    mean = {name: torch.zeros_like(value).double() for name, value in before.items()}
    square = {name: torch.zeros_like(value).double() for name, value in before.items()}
    expected = {name: value.double() for name, value in before.items()}
    for count in (1, 2):
        step()
        for name, value in gradients[-1].items():
            gradient = value.double()
            mean[name] = 0.9 * mean[name] + 0.1 * gradient
            square[name] = 0.999 * square[name] + 0.001 * gradient**2
            update = mean[name] / (1 - 0.9**count)
            update = update / ((square[name] / (1 - 0.999**count)).sqrt() + 1e-8)
            expected[name] = expected[name] * (1 - 1e-3 * 0.1) - 1e-3 * update
    for name, value in weights(state).items():
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)


def test_the_average_is_what_its_formula_gives(steps):
    state, step = steps("training.ema=0.9")
    expected = {name: value.double() for name, value in weights(state).items()}
    for _ in range(5):
        step()
        for name, value in weights(state).items():
            expected[name] = 0.9 * expected[name] + 0.1 * value.double()
    assert state.averages.keys() == expected.keys()
    for name, value in state.averages.items():
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-7)
    whole = state.ema_state_dict()
    assert whole.keys() == state.model.state_dict().keys()
    assert torch.equal(whole["pos_embed"], state.model.pos_embed)


def test_gradients_are_clipped_from_the_step_that_is_named(steps):
    state, step = steps("training.clip_norm=1e-3", "training.clip_from_step=2")
    gradients = gradients_used(state)
    measured = [float(step()[-1]) for _ in range(4)]
    used = [
        float(torch.stack([value.double().norm() for value in one.values()]).norm())
        for one in gradients
    ]
    assert min(measured) > 1e-2  # measured before clipping, at every step
    assert used[:2] == pytest.approx(measured[:2], rel=1e-5)
    assert used[2:] == pytest.approx([1e-3, 1e-3], rel=1e-3)  # torch adds 1e-6 to the norm


def test_passes_that_are_accumulated_are_one_larger_batch(steps):
    found = []
    for settings in (
        ["training.batch_size=6"],
        ["training.batch_size=2", "training.accumulate=3"],
        ["training.batch_size=1", "training.accumulate=6"],
    ):
        state, step = steps(*settings, "training.clip_from_step=99")
        gradients = gradients_used(state)
        row = step()
        assert all(value.grad is None for value in state.model.parameters())
        found.append((row, gradients[0]))
    for row, gradients in found[1:]:
        torch.testing.assert_close(row, found[0][0], rtol=1e-5, atol=1e-6)
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, found[0][1][name], rtol=1e-4, atol=1e-6)


def test_the_log_holds_means_over_its_window(run, tmp_path):
    def rows(out):
        with (tmp_path / out / "log.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    run("output.log_every=1", "training.warmup_steps=3", out="fine")
    run("output.log_every=3", "training.warmup_steps=3", out="coarse")
    fine, coarse = rows("fine"), rows("coarse")
    assert [row["step"] for row in coarse] == ["3", "6"]
    assert list(coarse[0]) == [
        *("step", "loss", "mse", "vb", "gradient_norm", "learning_rate", "samples", "seconds")
    ]
    for place, row in enumerate(coarse):
        part = fine[3 * place : 3 * place + 3]
        for name in ("loss", "mse", "vb", "gradient_norm"):
            mean = np.mean([float(each[name]) for each in part])
            assert float(row[name]) == pytest.approx(mean, rel=1e-6)
        for name in ("learning_rate", "samples"):
            assert row[name] == part[-1][name]
    assert [row["samples"] for row in fine] == ["2", "4", "6", "8", "10", "12"]
    rates = [float(row["learning_rate"]) for row in fine]
    assert rates == pytest.approx([1e-3 / 3, 2e-3 / 3, *[1e-3] * 4])


def diverge_at(monkeypatch, step, value=float("nan")):
    """The loss of one step is no number."""
    from latte.training import loop

    real, calls = loop.batch_losses, []

    def losses(*arguments, **options):
        calls.append(1)
        found = real(*arguments, **options)
        return {name: each * (value if len(calls) == step else 1) for name, each in found.items()}

    monkeypatch.setattr(loop, "batch_losses", losses)


@pytest.mark.parametrize("checkpoint_every", [2, 4])
def test_a_loss_that_is_no_number_ends_the_run_and_spares_the_checkpoint(
    run, tmp_path, monkeypatch, checkpoint_every
):
    diverge_at(monkeypatch, 3)
    every = f"output.checkpoint_every={checkpoint_every}"
    with pytest.raises(InputError, match=r"^step 4: .*finite.*another run"):
        run(every, "output.log_every=4", "training.steps=8")
    left = [path.name for path in (tmp_path / "run").glob("checkpoints/*")]
    assert left == (["0000002"] if checkpoint_every == 2 else [])


def test_what_is_no_number_is_noticed_before_it_is_written(run, tmp_path, monkeypatch):
    diverge_at(monkeypatch, 3)
    with pytest.raises(InputError, match=r"step 4: .*finite"):
        run("output.checkpoint_every=2", "output.log_every=100")
    left = [path.name for path in (tmp_path / "run").glob("checkpoints/*")]
    assert left == ["0000002"]


def test_a_network_learns(run, tmp_path):
    run(
        "data.num_videos=8",
        "model.patch_size=2",
        "model.hidden_size=32",
        "training.batch_size=8",
        "training.steps=75",
        "training.learning_rate=4e-3",
        "output.log_every=25",
    )
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        mse = [float(row["mse"]) for row in csv.DictReader(file)]
    assert mse[0] > 0.3  # 1 where nothing is learned
    assert mse[-1] < 0.15
