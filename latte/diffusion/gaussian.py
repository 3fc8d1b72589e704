"""The diffusion: q adds noise step by step, the network learns to take it away."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
import torch
from msgspec import Meta
from torch import Tensor
from tqdm import tqdm

from latte.data.errors import InputError, nearest
from latte.data.schema import Checked
from latte.diffusion.schedule import Schedule, make_betas, respaced_timesteps

MAX_STEPS = 100_000  # a table of numbers is made of all steps
Prediction = Literal["noise", "velocity"]
Method = Literal["ddpm", "ddim"]
Denoiser = Callable[..., Tensor]  # (x, t, **model_inputs) → prediction
RandomNumbers = Callable[[tuple[int, ...]], Tensor]


@dataclass(frozen=True, kw_only=True)
class DiffusionSettings(Checked):
    """[diffusion] of a configuration, and of a checkpoint's settings. The defaults are Latte's."""

    num_steps: Annotated[int, Meta(ge=1, le=MAX_STEPS)] = 1000
    schedule: Schedule = "linear"  # cosine is called squaredcos_cap_v2 elsewhere
    prediction: Prediction = "noise"  # or "velocity"; see docs/diffusion.md

    def open(self, respacing: str | int | None = None) -> "GaussianDiffusion":
        """The diffusion, at the steps that are kept.

        Raises:
            InputError: a value that cannot be.
        """
        return GaussianDiffusion(self.num_steps, self.schedule, respacing, self.prediction)


class GaussianDiffusion:
    """DDPM with predicted noise and a learned variance, as Latte is trained (section 3.1).

    Data are (N, F, C, H, W), or any (N, …, C, H, W). A network's output has 2C channels (noise,
    then where the variance lies between its bounds) or C (noise; the variance then is β).

    A network may predict the velocity √ᾱ ε − √(1 − ᾱ) x_0 instead of the noise (Salimans & Ho,
    arXiv:2202.00512). Where x_t is nearly all noise, an error of 1 % in the noise is one of 150 %
    in x_0: it takes long until a network copies its input as exactly as that. The velocity leaves
    that to arithmetic, so that small networks learn in minutes. Latte predicts the noise.

    Constants are float64 and are rounded to the data's type where they are used. Times `t` index
    the kept steps, 0 … len(timesteps) − 1; the network is told the step of the whole diffusion.

    Args:
        num_steps: of the whole diffusion.
        schedule: "linear" or "cosine".
        respacing: which steps are kept; see `respaced_timesteps`.
        prediction: what the network predicts, "noise" or "velocity".

    Raises:
        InputError: an unknown name, or a number of steps that cannot be.
    """

    def __init__(
        self,
        num_steps: int = 1000,
        schedule: str = "linear",
        respacing: str | int | None = None,
        prediction: str = "noise",
    ) -> None:
        if prediction not in get_args(Prediction):
            known = nearest(prediction, get_args(Prediction))
            raise InputError(f"no prediction {prediction!r}: {known}")
        self.prediction = prediction
        self.timesteps = respaced_timesteps(num_steps, respacing)
        whole = np.cumprod(1 - make_betas(schedule, num_steps))
        self.alpha_bar = whole[self.timesteps]
        self.signal, self.spread = np.sqrt(self.alpha_bar), np.sqrt(1 - self.alpha_bar)
        self.alpha_bar_prev = np.append(1.0, self.alpha_bar[:-1])
        self.betas = 1 - self.alpha_bar / self.alpha_bar_prev
        alphas = 1 - self.betas
        # q(x_{t−1} | x_t, x_0), DDPM eq. 7.
        self.posterior_variance = self.betas * (1 - self.alpha_bar_prev) / (1 - self.alpha_bar)
        # It is 0 at the first step: the logarithm takes the second's there.
        first = self.posterior_variance[1:2] if len(self.timesteps) > 1 else self.betas[:1]
        clipped = np.append(first, self.posterior_variance[1:])
        self.posterior_log_variance = np.log(clipped)
        self.posterior_x0 = self.betas * np.sqrt(self.alpha_bar_prev) / (1 - self.alpha_bar)
        self.posterior_xt = (1 - self.alpha_bar_prev) * np.sqrt(alphas) / (1 - self.alpha_bar)

    def q_sample(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t ~ q(x_t | x_0) for noise ~ N(0, 1), DDPM eq. 4."""
        return at(self.signal, t, x0) * x0 + at(self.spread, t, x0) * noise

    def training_losses(
        self, model: Denoiser, x0: Tensor, t: Tensor, noise: Tensor, **model_inputs: Any
    ) -> dict[str, Tensor]:
        """The losses of each sample, (N,) each: L_simple ("mse"), L_vlb ("vb"), their sum ("loss").

        L_vlb, in bits per dimension, teaches the variance alone: the noise's gradient is stopped
        (improved DDPM, section 3.1), and both are added with weight 1 as in the official code.
        """
        x0, noise = widened(x0), widened(noise)
        xt = self.q_sample(x0, t, noise)
        output = model(xt, self.model_times(t), **model_inputs).to(x0.dtype)
        predicted, between = split_output(output, x0.shape[-3])
        target = noise
        if self.prediction == "velocity":
            target = at(self.signal, t, x0) * noise - at(self.spread, t, x0) * x0
        losses = {"mse": per_sample((target - predicted) ** 2)}
        if between is not None:
            predicted_noise = self._noise(xt, t, predicted.detach())
            losses["vb"] = self._bound(x0, xt, t, predicted_noise, between)
        else:
            losses["vb"] = torch.zeros_like(losses["mse"])
        return {"loss": losses["mse"] + losses["vb"], **losses}

    def p_mean_variance(
        self, model: Denoiser, x: Tensor, t: Tensor, **model_inputs: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log-variance of p(x_{t−1} | x_t), and the x_0 that the network sees in x_t."""
        x = widened(x)
        output = model(x, self.model_times(t), **model_inputs).to(x.dtype)
        predicted, between = split_output(output, x.shape[-3])
        pred_x0 = self.x0_from_noise(x, t, self._noise(x, t, predicted))
        return self.posterior_mean(pred_x0, x, t), self._log_variance(x, t, between), pred_x0

    def posterior_mean(self, x0: Tensor, xt: Tensor, t: Tensor) -> Tensor:
        """Mean of q(x_{t−1} | x_t, x_0), DDPM eq. 7."""
        return at(self.posterior_x0, t, xt) * x0 + at(self.posterior_xt, t, xt) * xt

    def x0_from_noise(self, xt: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The x_0 from which this noise leads to x_t."""
        a, b = np.sqrt(1 / self.alpha_bar), np.sqrt(1 / self.alpha_bar - 1)
        return at(a, t, xt) * xt - at(b, t, xt) * noise

    def noise_from_x0(self, xt: Tensor, t: Tensor, x0: Tensor) -> Tensor:
        """The noise that leads from x_0 to x_t."""
        a, b = np.sqrt(1 / self.alpha_bar), np.sqrt(1 / self.alpha_bar - 1)
        return (at(a, t, xt) * xt - x0) / at(b, t, xt)

    @torch.no_grad()
    def sample(
        self,
        model: Denoiser,
        noise: Tensor,
        method: str = "ddpm",
        eta: float = 0.0,
        randn: RandomNumbers | None = None,
        progress: bool = False,
        **model_inputs: Any,
    ) -> Tensor:
        """From noise to data, through the kept steps from the last to the first, unclipped.

        Args:
            noise: x at the last step, (N, F, C, H, W).
            method: "ddpm", or "ddim" (Song et al., 2021).
            eta: how much of DDPM's noise each step of DDIM adds again; 0 is deterministic.
            randn: `randn(shape)` gives the noise of each step in turn, the last step's (not used)
                included; by default torch's global random numbers.
            progress: show a progress bar.

        Returns:
            x_0, shaped and typed as `noise`.

        Raises:
            InputError: there is no such method, or eta is out of range.
        """
        if method not in get_args(Method):
            raise InputError(f"no sampling method {method!r}: {nearest(method, get_args(Method))}")
        if not 0 <= eta <= 1:
            raise InputError(f"eta = {eta}: give 0 (no new noise) … 1 (as much as DDPM)")
        x = widened(noise)
        steps = range(len(self.timesteps) - 1, -1, -1)
        for step in tqdm(steps, desc=method, unit="step", disable=not progress, leave=False):
            t = torch.full((len(x),), step, dtype=torch.long, device=x.device)
            mean, log_variance, pred_x0 = self.p_mean_variance(model, x, t, **model_inputs)
            fresh = _draw(randn, x) if method == "ddpm" or eta > 0 else None
            if method == "ddpm":
                spread = torch.exp(0.5 * log_variance)
            else:
                mean, spread = self._ddim_step(x, t, pred_x0, eta)
            x = mean if fresh is None or step == 0 else mean + spread * fresh
        return x.to(noise.dtype)

    def _ddim_step(
        self, x: Tensor, t: Tensor, pred_x0: Tensor, eta: float
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of x_{t−1}, DDIM eq. 12 and 16."""
        before, now = self.alpha_bar_prev, self.alpha_bar
        sigma = eta * np.sqrt((1 - before) / (1 - now) * (1 - now / before))
        direction = np.sqrt(1 - before - sigma**2)
        noise = self.noise_from_x0(x, t, pred_x0)
        mean = at(np.sqrt(before), t, x) * pred_x0 + at(direction, t, x) * noise
        return mean, at(sigma, t, x)

    def model_times(self, t: Tensor) -> Tensor:
        """Steps of the whole diffusion, which the network knows, for kept steps."""
        return torch.tensor(self.timesteps, device=t.device)[t]

    def _noise(self, xt: Tensor, t: Tensor, predicted: Tensor) -> Tensor:
        """The noise that a prediction stands for."""
        if self.prediction == "noise":
            return predicted
        return at(self.signal, t, xt) * predicted + at(self.spread, t, xt) * xt

    def _log_variance(self, x: Tensor, t: Tensor, between: Tensor | None) -> Tensor:
        """Between log β̃ (at −1) and log β (at 1), improved DDPM eq. 15; log β where not learned."""
        if between is None:
            # β, but for the first step, whose variance a decoder has: as DDPM's "fixed large".
            large = np.append(np.exp(self.posterior_log_variance[:1]), self.betas[1:])
            return at(np.log(large), t, x).expand_as(x)
        low, high = at(self.posterior_log_variance, t, x), at(np.log(self.betas), t, x)
        share = (between + 1) / 2
        return share * high + (1 - share) * low

    def _bound(
        self, x0: Tensor, xt: Tensor, t: Tensor, predicted: Tensor, between: Tensor
    ) -> Tensor:
        """One term of the variational bound, bits per dimension (N,)."""
        true_mean = self.posterior_mean(x0, xt, t)
        true_log_variance = at(self.posterior_log_variance, t, xt)
        mean = self.posterior_mean(self.x0_from_noise(xt, t, predicted), xt, t)
        log_variance = self._log_variance(xt, t, between)
        divergence = normal_kl(true_mean, true_log_variance, mean, log_variance)
        decoder = -discretized_log_likelihood(x0, mean, 0.5 * log_variance)
        return torch.where(t == 0, per_sample(decoder), per_sample(divergence)) / math.log(2)


def split_output(output: Tensor, channels: int) -> tuple[Tensor, Tensor | None]:
    """A network's output (N, …, C or 2C, H, W) → noise, and the variance between its bounds.

    Raises:
        ValueError: neither C nor 2C channels.
    """
    if output.shape[-3] == channels:
        return output, None
    if output.shape[-3] != 2 * channels:
        raise ValueError(
            f"the network gives {output.shape[-3]} channels for data of {channels}, expected "
            f"{channels}, or {2 * channels} with a learned variance"
        )
    noise, between = output.chunk(2, dim=-3)
    return noise, between


def _draw(randn: RandomNumbers | None, x: Tensor) -> Tensor:
    if randn is None:
        return torch.randn_like(x)
    fresh = randn(tuple(x.shape))
    if fresh.shape != x.shape:
        raise ValueError(f"randn gave {tuple(fresh.shape)}, not {tuple(x.shape)}")
    return fresh.to(device=x.device, dtype=x.dtype)


def at(values: np.ndarray, t: Tensor, like: Tensor) -> Tensor:
    """values[t], of the type of `like` and shaped (N, 1, …) to multiply with it."""
    rows = torch.from_numpy(values).to(like.device, like.dtype)[t]
    return rows.view(-1, *[1] * (like.ndim - 1))


def widened(x: Tensor) -> Tensor:
    """x in float32 at least: noise levels need more digits than float16 and bfloat16 have."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def per_sample(values: Tensor) -> Tensor:
    """Mean over everything but the samples, (N,)."""
    return values.flatten(1).mean(dim=1)


def normal_kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL(N₁ ‖ N₂) of each dimension, nats."""
    return 0.5 * (
        log_variance2
        - log_variance1
        - 1.0
        + torch.exp(log_variance1 - log_variance2)
        + (mean1 - mean2) ** 2 * torch.exp(-log_variance2)
    )


def discretized_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log P of the one of 256 levels in [−1, 1] that x lies on, under N(mean, scale²), nats.

    The outermost levels reach to infinity (DDPM eq. 13). Φ is the tanh approximation, and
    probabilities are at least 1e-12, as in the official code.
    """
    centred, inverse = x - mean, torch.exp(-log_scale)
    below_upper = _normal_cdf(inverse * (centred + 1 / 255))
    below_lower = _normal_cdf(inverse * (centred - 1 / 255))
    inside = torch.log((below_upper - below_lower).clamp(min=1e-12))
    lowest = torch.log(below_upper.clamp(min=1e-12))
    highest = torch.log((1 - below_lower).clamp(min=1e-12))
    return torch.where(x < -0.999, lowest, torch.where(x > 0.999, highest, inside))


def _normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
