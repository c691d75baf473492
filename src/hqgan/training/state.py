"""The state of training, in memory and in a checkpoint."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from hqgan.config import TrainingConfig
from hqgan.training import ema


@dataclass
class State:
    """Everything that a training step changes, and that a checkpoint holds.

    Attributes:
        generator: a module with the methods of `hqgan.models.base.Generator`.
        critic: a module that scores (images, labels) and gives the scores' `gradient`, see `hqgan.models.critic`; None for a
            generator that has a `loss` of its own.
        step: generator steps done.
        images: real images shown so far, repeats counted.
        augmented: probability of augmentation; changes where augmentation is adaptive.
        sums: running sums of losses since the last log line, with their `count`.
    """

    generator: Any
    critic: Any
    average: nn.Module
    generator_optimiser: torch.optim.Optimizer
    critic_optimiser: torch.optim.Optimizer | None
    step: int = 0
    images: int = 0
    augmented: float = 1.0
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def tensors(self) -> dict[str, torch.Tensor]:
        """Flat name to tensor: networks, average, optimisers, torch's random state."""
        found: dict[str, torch.Tensor] = {"rng/torch": torch.get_rng_state()}
        for prefix, module in self._modules().items():
            found |= {f"{prefix}/{k}": v for k, v in module.state_dict().items()}
        for prefix, optimiser in self._optimisers().items():
            for index, slots in optimiser.state_dict()["state"].items():
                found |= {f"{prefix}/{index}/{slot}": torch.as_tensor(v) for slot, v in slots.items()}
        return found

    def values(self) -> dict[str, Any]:
        """What a checkpoint's JSON holds: counters and the other libraries' random states."""
        name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002
        version, internal, gauss = random.getstate()
        return {
            "step": self.step,
            "images": self.images,
            "augmented": self.augmented,
            "sums": self.sums,
            "count": self.count,
            "rng": {
                "numpy": [name, np.asarray(keys).tolist(), position, has_gauss, cached],
                "python": [version, list(internal), gauss],
            },
        }

    def restore(self, tensors: Mapping[str, torch.Tensor], values: Mapping[str, Any]) -> None:
        """Restore the state from which `tensors` and `values` were taken."""
        for prefix, module in self._modules().items():
            module.load_state_dict(_under(tensors, f"{prefix}/"))
        for prefix, optimiser in self._optimisers().items():
            parameters = [p for group in optimiser.param_groups for p in group["params"]]
            slots: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in _under(tensors, f"{prefix}/").items():
                index, slot = key.split("/")
                # Fused optimisers go through memory as it lies: what belongs to a weight has to lie as the weight does.
                like = parameters[int(index)]
                laid = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
                slots.setdefault(int(index), {})[slot] = laid
            optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})
        torch.set_rng_state(tensors["rng/torch"])
        name, keys, *rest = values["rng"]["numpy"]
        np.random.set_state((name, np.array(keys, np.uint32), *rest))  # noqa: NPY002
        version, internal, gauss = values["rng"]["python"]
        random.setstate((version, tuple(internal), gauss))
        self.step, self.images = values["step"], values["images"]
        self.sums, self.count = dict(values["sums"]), values["count"]
        self.augmented = values.get("augmented", self.augmented)  # absent from checkpoints before version 0.2

    def _modules(self) -> dict[str, nn.Module]:
        found = {"generator": self.generator, "critic": self.critic, "ema": self.average}
        return {name: module for name, module in found.items() if module is not None}

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        found = {"generator_optimiser": self.generator_optimiser, "critic_optimiser": self.critic_optimiser}
        return {name: optimiser for name, optimiser in found.items() if optimiser is not None}


def layout(config: TrainingConfig) -> torch.memory_format:
    """Memory layout of weights and images: on a CPU, convolutions are a tenth faster with the channels last.

    With few images a step, laying the weights' gradients out so costs more than that (`benchmarks/iteration.py --presets`).
    """
    return torch.channels_last if config.batch >= 16 else torch.contiguous_format


def dtype_of(config: TrainingConfig) -> torch.dtype:
    """Of weights, noise and real images in training; the average and what it makes have 32 bits."""
    return torch.float64 if config.precision == "64-true" else torch.float32


def new_state(generator: Any, critic: nn.Module | None, config: TrainingConfig, device: torch.device) -> State:
    """The networks on `device`, fresh optimisers and average; circuits get a learning rate of their own."""
    for network in (generator, critic):
        if network is not None:
            network.to(device, memory_format=layout(config))  # type: ignore[call-overload]
    average = ema.averaged_copy(generator)
    if config.precision == "64-true":
        for network in (generator, critic):
            if network is not None:
                network.double()
    groups = [
        {"params": ps, "lr": config.lr_circuit if name == "circuit" else config.lr_generator}
        for name, ps in generator.parameter_groups().items()
    ]
    critics = [{"params": list(critic.parameters()), "lr": config.lr_critic}] if critic is not None else []
    return State(
        generator=generator,
        critic=critic,
        average=average,
        generator_optimiser=_optimiser(groups, config, config.betas_generator),
        critic_optimiser=_optimiser(critics, config, config.betas_critic) if critics else None,
        augmented=0.0 if config.adaptive_kimg else 1.0,
    )


def _optimiser(
    groups: list[dict[str, Any]], config: TrainingConfig, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    # Fused: one pass over the memory of nine million weights instead of ten.
    return (
        torch.optim.SGD(groups, fused=True)
        if config.optimiser == "sgd"
        else torch.optim.Adam(groups, betas=betas, fused=True)
    )


def _under(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
