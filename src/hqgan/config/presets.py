"""The presets: named sets of config sections, each with the fields that differ from their defaults."""

from __future__ import annotations

from typing import Any

from hqgan.config import critics, generators
from hqgan.config.sections import DataConfig, PrivacyConfig, Section, TrainingConfig

# The paper's own settings for ISIC 2019 (its code's command line; see docs/architecture.md).
_PAPER: dict[str, Section] = {
    "data": DataConfig(fit="squeeze"),
    "generator": generators.HybridConfig(start="reference"),
    "critic": critics.CriticConfig(start="reference"),
    "training": TrainingConfig(
        batch=10,
        loss="wgan-gp",
        critic_steps=3,
        augment=(),
        dihedral=False,
        lr_generator=1e-4,
        lr_circuit=0.3,
        lr_critic=2e-4,
        betas_generator=(0.5, 0.999),
        betas_critic=(0.0, 0.9),
        ema_half_life_kimg=0.0,
    ),
}
_CRITIC = critics.CriticConfig(channels=(48, 96, 192, 384), head="flat", bias=True, start="he")
_HQGAN = generators.HybridConfig(
    latent=64,
    latent_source="normal",
    encoder="spatial",
    encoder_channels=208,
    feature_channels=160,
    quantum_share=0.2,
    circuit=generators.CircuitConfig(qubits=8, layers=4, readout=("X", "Z"), start=0.2),
    sub_generators=16,
    readout="full",
    decoder="transposed",
    decoder_channels=(64, 32),
)
_SMALL = _HQGAN.model_copy(
    update={
        "encoder_channels": 96,
        "feature_channels": 64,
        "quantum_share": 0.25,
        "circuit": _HQGAN.circuit.model_copy(update={"qubits": 4}),
        "decoder_channels": (48, 24),
    }
)
_LATENT_PEER = TrainingConfig(batch=8, loss="logistic", r1_weight=0.0, augment=(), ema_half_life_kimg=0.0)
"""Of the quantum baselines that work on features."""

PRESETS: dict[str, dict[str, Section]] = {
    "hqgan": {"generator": _HQGAN, "critic": _CRITIC},
    "paper": _PAPER,
    "dcgan": {"generator": generators.DcganConfig(), "critic": _CRITIC},
    "demo": {
        "generator": _SMALL,
        "critic": _CRITIC.model_copy(update={"channels": (32, 64, 128, 256)}),
        "training": TrainingConfig(
            kimg=30.0, lr_generator=4e-4, ema_half_life_kimg=2.0, sample_kimg=3.0, checkpoint_kimg=3.0
        ),
    },
    # What private training can hold its guarantee with: a narrow critic, so that the noise falls on few weights, large samples
    # of lesions, and several critic steps to one of the generator (arXiv 2302.02936).
    "private": {
        "generator": _SMALL,
        "critic": _CRITIC.model_copy(update={"channels": (8, 16, 32, 64)}),
        "training": TrainingConfig(
            batch=128,
            loss="logistic",
            critic_steps=2,
            r1_weight=0.0,
            augment=(),
            lr_generator=2e-3,
            lr_circuit=2e-3,
            lr_critic=2e-3,
        ),
        "privacy": PrivacyConfig(epsilon=8.0),
    },
    # The paper's networks with a classical latent alone.
    "wgan-gp": {**_PAPER, "generator": generators.HybridConfig(branch="none", start="reference")},
    "pqwgan": {
        "generator": generators.PqwganConfig(),
        "critic": _CRITIC,
        "training": TrainingConfig(
            batch=16,
            loss="wgan-gp",
            critic_steps=5,
            augment=(),
            lr_circuit=0.01,
            lr_critic=2e-4,
            betas_generator=(0.0, 0.9),
            betas_critic=(0.0, 0.9),
            ema_half_life_kimg=0.0,
        ),
    },
    "mosaiq": {
        "generator": generators.MosaiqConfig(),
        "critic": critics.FeatureCriticConfig(),
        "training": _LATENT_PEER.model_copy(update={"optimiser": "sgd", "lr_circuit": 0.3, "lr_critic": 0.01}),
    },
    "latentqgan": {
        "generator": generators.LatentqganConfig(),
        "critic": critics.FeatureCriticConfig(),
        "training": _LATENT_PEER.model_copy(update={"lr_circuit": 0.01, "lr_critic": 1e-3}),
    },
    "lightweight": {
        "generator": generators.LightweightConfig(),
        "critic": critics.LightweightCriticConfig(),
        "training": TrainingConfig(
            loss="hinge",
            r1_weight=0.0,
            augment=("color", "translation", "cutout"),
            lr_generator=2e-4,
            lr_critic=2e-4,
            betas_generator=(0.5, 0.999),
            betas_critic=(0.5, 0.999),
        ),
    },
    "stylegan2-ada": {
        "generator": generators.StyleConfig(),
        "critic": critics.ResidualCriticConfig(),
        "training": TrainingConfig(
            loss="logistic",
            r1_weight=0.5,
            r1_every=16,
            augment=("affine", "translation", "color"),
            adaptive_kimg=100.0,
            lr_generator=2e-3,
            lr_critic=2e-3,
            betas_generator=(0.0, 0.99),
            betas_critic=(0.0, 0.99),
            path_weight=2.0,
        ),
    },
    "ddpm": {
        "generator": generators.DdpmConfig(),
        "critic": critics.NoCriticConfig(),
        "training": TrainingConfig(augment=(), lr_generator=5e-4, betas_generator=(0.9, 0.999), evaluate_kimg=30.0),
    },
}

_ABLATIONS: dict[str, dict[str, Any]] = {
    "mlp": {"branch": "mlp"},
    "mlp-wide": {"branch": "mlp", "branch_hidden": 4096},
    "frozen": {"branch": "frozen"},
    "fourier": {"branch": "fourier"},
    "noise": {"branch": "noise"},
    "none": {"branch": "none"},
    "unentangled": {"circuit": _HQGAN.circuit.model_copy(update={"entangler": "none"})},
    "averaged": {"readout": "mean"},
}
"""Changes to the generator of `hqgan`; depth and qubits are ``--set generator.circuit.layers=0`` and the like."""

PRESETS |= {
    f"hqgan-{name}": {"generator": _HQGAN.model_copy(update=changes), "critic": _CRITIC}
    for name, changes in _ABLATIONS.items()
}
