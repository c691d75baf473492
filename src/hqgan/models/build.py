"""Builds networks from a config, and counts their parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from hqgan.circuits.ansatz import Ansatz
from hqgan.config import Config, critics, generators
from hqgan.models.base import Generator
from hqgan.models.baselines.dcgan import DcganGenerator
from hqgan.models.baselines.ddpm import DdpmGenerator
from hqgan.models.baselines.latentqgan import LatentqganGenerator
from hqgan.models.baselines.lightweight import LightweightCritic, LightweightGenerator
from hqgan.models.baselines.mosaiq import MosaiqGenerator
from hqgan.models.baselines.pqwgan import PqwganGenerator
from hqgan.models.baselines.style import ResidualCritic, StyleGenerator
from hqgan.models.critic import ConvolutionalCritic, Critic, FeatureCritic
from hqgan.models.hybrid import HybridGenerator

_GENERATORS: dict[type, Any] = {
    generators.HybridConfig: HybridGenerator,
    generators.DcganConfig: DcganGenerator,
    generators.PqwganConfig: PqwganGenerator,
    generators.MosaiqConfig: MosaiqGenerator,
    generators.LatentqganConfig: LatentqganGenerator,
    generators.LightweightConfig: LightweightGenerator,
    generators.StyleConfig: StyleGenerator,
    generators.DdpmConfig: DdpmGenerator,
}
_IMAGE_CRITICS: dict[type, Any] = {
    critics.CriticConfig: ConvolutionalCritic,
    critics.LightweightCriticConfig: LightweightCritic,
    critics.ResidualCriticConfig: ResidualCritic,
}


def build_generator(config: Config, classes: int) -> Generator:
    """A freshly initialised generator; draws from torch's global random state."""
    return _row(_GENERATORS, config.generator)(config.generator, classes, config.data.size)


def build_critic(config: Config, classes: int, generator: Generator) -> Critic | None:
    """A freshly initialised critic for `generator`, None if it trains without one; draws from torch's global random state."""
    match config.critic:
        case critics.NoCriticConfig():
            return None
        case critics.FeatureCriticConfig() as features:
            assert isinstance(generator, MosaiqGenerator | LatentqganGenerator)
            return FeatureCritic(features, classes, generator.features)
    return _row(_IMAGE_CRITICS, config.critic)(config.critic, classes, config.data.size)


def _row(table: Mapping[type, Any], section: Any) -> Any:
    """The class that a section of the config is built by; ValueError where the table has no row for it."""
    if type(section) not in table:
        raise ValueError(f"no row of the table in hqgan.models.build builds {type(section).__name__}")
    return table[type(section)]


def circuit_of(config: Config) -> Ansatz | None:
    """The ansatz of a config's circuits; None where there is none."""
    circuits = build_generator(config, 2).circuits
    return circuits[0].ansatz if circuits else None


def figures(config: Config, classes: int) -> dict[str, int]:
    """What `hqgan presets` prints about a config: sizes of the networks and of the circuits."""
    with torch.device("meta"):  # shapes without numbers, which take a second to draw
        generator = build_generator(config, classes)
        critic = build_critic(config, classes, generator)
    circuits = generator.circuits
    ansatz = circuits[0].ansatz if circuits else None
    return {
        "generator_parameters": _count(generator.parameters()),
        "quantum_parameters": sum(_count(layer.parameters()) for layer in circuits),
        "critic_parameters": _count(critic.parameters()) if critic else 0,
        "qubits": ansatz.qubits if ansatz else 0,
        "depth": ansatz.layers if ansatz else 0,
        "sub_generators": sum(len(layer.weights) for layer in circuits),
    }


def _count(parameters: Iterable[nn.Parameter]) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in parameters)
