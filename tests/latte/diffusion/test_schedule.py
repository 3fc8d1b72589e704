import numpy as np
import pytest

from latte.data.errors import InputError
from latte.diffusion import GaussianDiffusion
from latte.diffusion.schedule import make_betas, respaced_timesteps


def test_the_linear_schedule_is_ddpms():
    betas = make_betas("linear", 1000)
    assert betas.dtype == np.float64
    assert np.array_equal(betas, np.linspace(1e-4, 0.02, 1000))


@pytest.mark.parametrize("num_steps", [25, 100, 4000])
def test_other_numbers_of_linear_steps_end_in_as_much_noise(num_steps):
    betas = make_betas("linear", num_steps)
    scale = 1000 / num_steps
    assert np.array_equal(betas, np.linspace(scale * 1e-4, scale * 0.02, num_steps))
    # log ᾱ = Σ log(1 − β) ≈ −Σ β = −1000 · 0.01005, whatever the number of steps.
    assert np.isclose(betas.sum(), 10.05)


@pytest.mark.parametrize("num_steps", [10, 1000])
def test_the_cosine_schedule_follows_its_closed_form(num_steps):
    def f(step):
        return np.cos((step / num_steps + 0.008) / 1.008 * np.pi / 2) ** 2

    betas = make_betas("cosine", num_steps)
    steps = np.arange(1, num_steps)
    # All but the last step, whose β is cut off at 0.999.
    assert np.allclose(np.cumprod(1 - betas)[:-1], f(steps) / f(0), rtol=1e-10, atol=0)
    assert betas.dtype == np.float64
    assert betas[-1] == 0.999


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("respacing", [None, "250", "ddim25", "10,10,20"])
def test_less_and_less_signal_is_left(schedule, respacing):
    diffusion = GaussianDiffusion(schedule=schedule, respacing=respacing)
    levels = np.append(1.0, diffusion.alpha_bar)
    assert (np.diff(levels) < 0).all()
    assert levels[-1] > 0
    assert ((diffusion.betas > 0) & (diffusion.betas < 1)).all()


@pytest.mark.parametrize("respacing", [None, "250", "ddim25", "2"])
def test_the_posterior_is_that_of_ddpm(respacing):
    diffusion = GaussianDiffusion(respacing=respacing)
    beta, level, before = diffusion.betas, diffusion.alpha_bar, diffusion.alpha_bar_prev
    variance = beta * (1 - before) / (1 - level)
    # Bayes' rule: the precisions of q(x_t | x_{t−1}) and q(x_{t−1} | x_0) add up.
    precision = (1 - beta[1:]) / beta[1:] + 1 / (1 - before[1:])
    assert np.allclose(1 / precision, diffusion.posterior_variance[1:], rtol=1e-10)
    assert np.allclose(diffusion.posterior_variance, variance, rtol=1e-12)
    assert np.allclose(diffusion.posterior_x0, beta * np.sqrt(before) / (1 - level), rtol=1e-12)
    expected = (1 - before) * np.sqrt(1 - beta) / (1 - level)
    assert np.allclose(diffusion.posterior_xt, expected, rtol=1e-12)


@pytest.mark.parametrize("respacing", [None, "250", "2"])
def test_the_first_steps_log_variance_is_the_seconds(respacing):
    diffusion = GaussianDiffusion(respacing=respacing)
    assert diffusion.posterior_variance[0] == 0
    assert diffusion.posterior_log_variance[0] == diffusion.posterior_log_variance[1]
    logarithms = np.log(diffusion.posterior_variance[1:])
    assert np.array_equal(diffusion.posterior_log_variance[1:], logarithms)


def test_constants_are_float64():
    diffusion = GaussianDiffusion(respacing="250")
    arrays = [value for value in vars(diffusion).values() if isinstance(value, np.ndarray)]
    assert len(arrays) >= 7
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}


@pytest.mark.parametrize("respacing", ["10", "250", "ddim25"])
def test_kept_steps_are_the_official_ones(golden_diffusion, respacing):
    expected = golden_diffusion[f"timesteps_{respacing}"].tolist()
    assert list(GaussianDiffusion(respacing=respacing).timesteps) == expected
    assert respaced_timesteps(1000, respacing) == expected


@pytest.mark.parametrize("count", [2, 3, 7, 50, 250, 333, 999, 1000])
def test_a_number_of_steps_is_spread_over_both_ends(count):
    steps = respaced_timesteps(1000, str(count))
    assert len(steps) == count
    assert (steps[0], steps[-1]) == (0, 999)
    distances = np.diff(steps)
    assert distances.min() >= 1
    assert distances.max() - distances.min() <= 1


def test_distances_are_added_up_as_the_official_code_does():
    # 10 · 49.95 = 499.5 rounds to 500, but 49.95 ten times over is 499.49999999999994.
    assert respaced_timesteps(1000, "21")[10] == 499
    assert respaced_timesteps(1000, "3")[1] == 500


@pytest.mark.parametrize("count", [2, 4, 25, 50, 100, 1000])
def test_ddim_steps_have_one_stride_and_start_at_zero(count):
    assert respaced_timesteps(1000, f"ddim{count}") == list(range(0, 1000, 1000 // count))


def test_sections_have_counts_of_their_own():
    # 301 steps in sections of 101, 100 and 100; the left-over step goes to the first.
    steps = respaced_timesteps(301, "10,10,20")
    sections = [steps[:10], steps[10:20], steps[20:]]
    assert [(part[0], part[-1], len(part)) for part in sections] == [
        (0, 100, 10),
        (101, 200, 10),
        (201, 300, 20),
    ]
    assert respaced_timesteps(300, "1,2,1") == [0, 100, 199, 200]
    # Halves are rounded to even, as Python does.
    assert respaced_timesteps(10, "5,3") == [0, 1, 2, 3, 4, 5, 7, 9]


@pytest.mark.parametrize("respacing", [None, "", "100", "ddim100"])
def test_all_steps_can_be_kept(respacing):
    diffusion = GaussianDiffusion(100, respacing=respacing)
    assert list(diffusion.timesteps) == list(range(100))
    assert np.allclose(diffusion.betas, make_betas("linear", 100), rtol=1e-10)


@pytest.mark.parametrize("respacing", ["250", "ddim25", "10,10,20", "1"])
def test_kept_steps_keep_their_level_of_noise(respacing):
    whole = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    diffusion = GaussianDiffusion(respacing=respacing)
    assert np.allclose(np.cumprod(1 - diffusion.betas), whole[diffusion.timesteps], rtol=1e-12)
    assert np.array_equal(diffusion.alpha_bar, whole[diffusion.timesteps])


IMPOSSIBLE = """
    1001 0 -5 ddim999 ddim1001 ddim0 ddim ddim10,10 10, 501,1 1,0 2.5 fast 10;10
"""


@pytest.mark.parametrize("respacing", IMPOSSIBLE.split())
def test_steps_that_cannot_be_taken_are_refused(respacing):
    with pytest.raises(InputError) as caught:
        GaussianDiffusion(1000, respacing=respacing)
    assert respacing in str(caught.value)


@pytest.mark.parametrize("num_steps", [0, -1])
def test_a_diffusion_has_steps(num_steps):
    for schedule in ("linear", "cosine"):
        with pytest.raises(InputError, match="num_steps"):
            GaussianDiffusion(num_steps, schedule)


@pytest.mark.parametrize("num_steps", [2, 19, 20])
def test_a_linear_schedule_that_would_leave_no_signal_is_refused(num_steps):
    # At 20 steps the last β is 1, from whose pure noise no x_0 can be read.
    with pytest.raises(InputError, match="num_steps"):
        GaussianDiffusion(num_steps)


def test_the_fewest_linear_steps_leave_some_signal():
    assert GaussianDiffusion(21).alpha_bar[-1] > 0


def test_an_unknown_schedule_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="cosine"):
        GaussianDiffusion(schedule="cosin")
    with pytest.raises(InputError, match=r"squaredcos_cap_v2.*did you mean cosine"):
        GaussianDiffusion(schedule="squaredcos_cap_v2")  # diffusers and the official code say so
