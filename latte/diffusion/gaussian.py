"""The diffusion: q adds noise step by step, the network learns to take it away."""

import math
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from latte.data.errors import InputError, nearest
from latte.diffusion.likelihood import discretized_log_likelihood, normal_kl, per_sample
from latte.diffusion.schedule import make_betas, respaced_timesteps
from latte.diffusion.tensors import Denoiser, RandomNumbers, at, widened

Prediction = Literal["noise", "velocity"]
METHODS = ("ddpm", "ddim")


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
            known = get_args(Prediction)
            raise InputError(f"no prediction {prediction!r}: {nearest(prediction, known)}")
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
        target = noise if self.prediction == "noise" else self._velocity(x0, t, noise)
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
        if method not in METHODS:
            raise InputError(f"no sampling method {method!r}: {nearest(method, METHODS)}")
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

    def _velocity(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        return at(self.signal, t, x0) * noise - at(self.spread, t, x0) * x0

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
