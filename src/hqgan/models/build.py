"""From a config to modules, and from modules to figures."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from hqgan.config import Config, DcganConfig, HybridConfig
from hqgan.models.baselines.dcgan import DcganGenerator
from hqgan.models.critic import Critic
from hqgan.models.generator import HybridGenerator

Generator = HybridGenerator | DcganGenerator


def build_generator(config: Config, classes: int) -> Generator:
    """A freshly initialised generator; draws from torch's global random state."""
    match config.generator:
        case HybridConfig() as hybrid:
            return HybridGenerator(hybrid, classes, config.data.size)
        case DcganConfig() as dcgan:
            return DcganGenerator(dcgan, classes, config.data.size)


def build_critic(config: Config, classes: int) -> Critic:
    """A freshly initialised critic; draws from torch's global random state."""
    return Critic(config.critic, classes, config.data.size)


def figures(config: Config, classes: int) -> dict[str, int]:
    """What `hqgan presets` prints of a config: sizes of the networks and of the circuits."""
    generator, critic = build_generator(config, classes), build_critic(config, classes)
    hybrid = config.generator if isinstance(config.generator, HybridConfig) else None
    return {
        "generator_parameters": _count(generator.parameters()),
        "quantum_parameters": _count(generator.parts().get("circuit", [])),
        "critic_parameters": _count(critic.parameters()),
        "qubits": hybrid.circuit.qubits if hybrid else 0,
        "depth": hybrid.circuit.layers if hybrid else 0,
        "sub_generators": hybrid.sub_generators if hybrid else 0,
    }


def _count(parameters: Iterable[nn.Parameter]) -> int:
    return sum(p.numel() for p in parameters)
