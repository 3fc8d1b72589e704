"""What `latte-bench speed-generator` times: three tasks by several implementations.

An implementation is a network (the plain formulation, diffusers' blocks, or `latte.model`) in one
arithmetic, compiled or not. All implementations of a task work on the same weights and numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from benchmarks.studies.speed.formulations import DiffusersLatte, PlainLatte
from latte.config import LatteConfig
from latte.diffusion import GaussianDiffusion
from latte.model import Latte

Task = Literal["forward", "training", "sampling"]
Network = Literal["plain", "diffusers", "ours"]
Precision = Literal["fp32", "bf16"]
Job = Callable[[], object]

NUM_CLASSES = 101  # guidance needs classes; UCF101 has 101
GUIDANCE_SCALE = 7.0
SAMPLING_STEPS = 2
EMA = 0.9999
# Passes forward over one clip that a task costs; a pass back costs about two.
PASSES: Mapping[Task, int] = {"forward": 1, "training": 3, "sampling": 2 * SAMPLING_STEPS}


@dataclass(frozen=True)
class Implementation:
    """One way to compute the network."""

    network: Network
    precision: Precision = "fp32"
    compiled: bool = False

    @property
    def label(self) -> str:
        return f"{self.network}, {self.precision}{', compiled' if self.compiled else ''}"


class Workbench:
    """A model of one size by all implementations, with random weights, and one clip of latents.

    Args:
        config: a configuration with classes.
        implementations: what is built; weights are shared wherever the formulation allows.
    """

    def __init__(
        self,
        config: LatteConfig,
        implementations: tuple[Implementation, ...],
        device: torch.device | str = "cpu",
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.diffusion = GaussianDiffusion()
        model = random_model(config, self.device)
        self.networks: dict[str, nn.Module] = {"ours": model}
        others = {"plain": PlainLatte, "diffusers": DiffusersLatte}
        for name in {one.network for one in implementations} - {"ours"}:
            self.networks[name] = others[name](model)
        if any(one.compiled for one in implementations):
            self.networks["ours, compiled"] = compiled_twin(model)
        self.trainers: dict[str, Trainer] = {}
        stream = torch.Generator().manual_seed(1)
        shape = (1, config.num_frames, config.in_channels, config.input_size, config.input_size)
        self.latents, self.noise = torch.randn((2, *shape), generator=stream).to(self.device)
        self.t = torch.tensor([500], device=self.device)
        self.y = torch.tensor([0], device=self.device)

    def job(self, task: Task, one: Implementation) -> Job:
        """The task by one implementation, to be called any number of times."""
        network = self.networks["ours, compiled" if one.compiled else one.network]

        def predict(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
            half = torch.bfloat16
            with torch.autocast(self.device.type, half, enabled=one.precision == "bf16"):
                return network(x, t, y).float()

        if task == "forward":
            return torch.no_grad()(lambda: predict(self.latents, self.t, self.y))
        if task == "sampling":
            diffusion = GaussianDiffusion(respacing=str(SAMPLING_STEPS))
            guide = guided(predict, self.config)
            return lambda: diffusion.sample(guide, self.noise, "ddim", y=self.y)
        if one.network not in self.trainers:  # the twin's weights are the model's
            self.trainers[one.network] = Trainer(plain=one.network == "plain")
        trainer = self.trainers[one.network]

        def train() -> None:
            losses = self.diffusion.training_losses(
                predict, self.latents, self.t, self.noise, y=self.y
            )
            trainer.step(network, losses["loss"].mean())

        return train


class Trainer:
    """Updates of the weights and their averages, as `latte train` makes them.

    The learning rate is 0: shared weights stay as they are.

    Args:
        plain: like the official train.py, torch's default AdamW and averages one tensor after the
            other.
    """

    def __init__(self, *, plain: bool) -> None:
        self.plain = plain
        self.parameters: list[nn.Parameter] = []

    def step(self, network: nn.Module, loss: Tensor) -> None:
        """One update, for a loss that was computed with the network."""
        loss.backward()
        if not self.parameters:
            # Our blocks beside those of diffusers have no part in the loss.
            self.parameters = [p for p in network.parameters() if p.grad is not None]
            self.averages = [p.detach().clone() for p in self.parameters]
            self.optimizer = torch.optim.AdamW(
                self.parameters, lr=0.0, weight_decay=0.0, fused=None if self.plain else True
            )
        nn.utils.clip_grad_norm_(self.parameters, 0.1)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        current = [p.detach() for p in self.parameters]
        if self.plain:
            for mean, parameter in zip(self.averages, current, strict=True):
                mean.mul_(EMA).add_(parameter, alpha=1 - EMA)
        else:
            get_ema_multi_avg_fn(EMA)(self.averages, current, None)


def random_model(config: LatteConfig, device: torch.device | str = "cpu") -> Latte:
    """A model whose blocks all do something; those of a new one are the identity."""
    with torch.device(device):
        model = Latte(config)
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return model


def compiled_twin(model: Latte) -> Latte:
    """A model with the same weights in memory, whose blocks are compiled.

    Blocks of one kind share one compilation, so it takes as long for 28 as for 2.
    """
    with torch.device("meta"):
        twin = Latte(model.config)
    twin.load_state_dict(model.state_dict(keep_vars=True), assign=True)
    for block in twin.blocks:
        block.compile(dynamic=False)
    return twin


def guided(predict: Callable[..., Tensor], config: LatteConfig) -> Callable[..., Tensor]:
    """Classifier-free guidance, both halves in one pass, as `Latte.forward_with_guidance`."""

    def guide(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        labels = torch.cat([y, torch.full_like(y, config.num_classes or 0)])
        with_class, without = predict(torch.cat([x, x]), torch.cat([t, t]), labels).chunk(2)
        noise = slice(0, config.in_channels)
        out = with_class.clone()
        out[:, :, noise] = without[:, :, noise] + GUIDANCE_SCALE * (
            with_class[:, :, noise] - without[:, :, noise]
        )
        return out

    return guide
