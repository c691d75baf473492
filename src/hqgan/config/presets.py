"""The presets: named sets of config values; all other fields have their defaults."""

from __future__ import annotations

from typing import Any

# The paper's own settings for ISIC 2019 (its code's command line; see docs/architecture.md).
_PAPER: dict[str, Any] = {"data": {"fit": "squeeze"}, "critic": {"start": "reference"}}
_PAPER_TRAINING: dict[str, Any] = {
    "batch": 10,
    "loss": "wgan-gp",
    "critic_steps": 3,
    "augment": (),
    "dihedral": False,
    "lr_generator": 1e-4,
    "lr_circuit": 0.3,
    "lr_critic": 2e-4,
    "betas_generator": (0.5, 0.999),
    "betas_critic": (0.0, 0.9),
    "ema_half_life_kimg": 0.0,
}
_SMALL_CRITIC = {"channels": (48, 96, 192, 384), "head": "flat", "bias": True, "start": "he"}

_QUANTUM_PEER: dict[str, Any] = {"augment": (), "ema_half_life_kimg": 0.0}

_SMALL_GENERATOR: dict[str, Any] = {
    "kind": "hybrid",
    "latent": 64,
    "latent_source": "normal",
    "encoder": "spatial",
    "encoder_channels": 96,
    "feature_channels": 64,
    "quantum_share": 0.25,
    "circuit": {"qubits": 4, "layers": 4, "readout": ("X", "Z"), "start": 0.2},
    "sub_generators": 16,
    "readout": "full",
    "decoder": "transposed",
    "decoder_channels": (48, 24),
}

_BASE: dict[str, dict[str, Any]] = {
    "hqgan": {
        "generator": {
            "kind": "hybrid",
            "latent": 64,
            "latent_source": "normal",
            "encoder": "spatial",
            "encoder_channels": 208,
            "feature_channels": 160,
            "quantum_share": 0.2,
            "circuit": {"qubits": 8, "layers": 4, "readout": ("X", "Z"), "start": 0.2},
            "sub_generators": 16,
            "readout": "full",
            "decoder": "transposed",
            "decoder_channels": (64, 32),
        },
        "critic": _SMALL_CRITIC,
    },
    "paper": {**_PAPER, "generator": {"kind": "hybrid", "start": "reference"}, "training": _PAPER_TRAINING},
    "dcgan": {"generator": {"kind": "dcgan"}, "critic": _SMALL_CRITIC},
    "demo": {
        "generator": _SMALL_GENERATOR,
        "critic": {"channels": (32, 64, 128, 256), "head": "flat", "bias": True, "start": "he"},
        "training": {
            "lr_generator": 4e-4,
            "kimg": 30.0,
            "ema_half_life_kimg": 2.0,
            "sample_kimg": 3.0,
            "checkpoint_kimg": 3.0,
        },
    },
    # What private training can hold its guarantee with: a narrow critic, so that the noise falls on few weights, large samples
    # of lesions, and several critic steps to one of the generator (arXiv 2302.02936).
    "private": {
        "generator": _SMALL_GENERATOR,
        "critic": {"channels": (8, 16, 32, 64), "head": "flat", "bias": True, "start": "he"},
        "training": {
            "batch": 128,
            "loss": "logistic",
            "critic_steps": 2,
            "r1_weight": 0.0,
            "augment": (),
            "lr_generator": 2e-3,
            "lr_circuit": 2e-3,
            "lr_critic": 2e-3,
        },
        "privacy": {"epsilon": 8.0},
    },
    # The paper's networks with a classical latent alone.
    "wgan-gp": {
        **_PAPER,
        "generator": {"kind": "hybrid", "branch": "none", "start": "reference"},
        "training": _PAPER_TRAINING,
    },
    "pqwgan": {
        "generator": {"kind": "pqwgan"},
        "critic": _SMALL_CRITIC,
        "training": {
            **_QUANTUM_PEER,
            "batch": 16,
            "loss": "wgan-gp",
            "critic_steps": 5,
            "lr_circuit": 0.01,
            "lr_critic": 2e-4,
            "betas_generator": (0.0, 0.9),
            "betas_critic": (0.0, 0.9),
        },
    },
    "mosaiq": {
        "generator": {"kind": "mosaiq"},
        "critic": {"kind": "features"},
        "training": {
            **_QUANTUM_PEER,
            "batch": 8,
            "loss": "logistic",
            "r1_weight": 0.0,
            "optimiser": "sgd",
            "lr_circuit": 0.3,
            "lr_critic": 0.01,
        },
    },
    "latentqgan": {
        "generator": {"kind": "latentqgan"},
        "critic": {"kind": "features"},
        "training": {
            **_QUANTUM_PEER,
            "batch": 8,
            "loss": "logistic",
            "r1_weight": 0.0,
            "lr_circuit": 0.01,
            "lr_critic": 1e-3,
        },
    },
    "lightweight": {
        "generator": {"kind": "lightweight"},
        "critic": {"kind": "lightweight"},
        "training": {
            "loss": "hinge",
            "r1_weight": 0.0,
            "augment": ("color", "translation", "cutout"),
            "lr_generator": 2e-4,
            "lr_critic": 2e-4,
            "betas_generator": (0.5, 0.999),
            "betas_critic": (0.5, 0.999),
        },
    },
    "stylegan2-ada": {
        "generator": {"kind": "style"},
        "critic": {"kind": "residual"},
        "training": {
            "loss": "logistic",
            "r1_weight": 0.5,
            "r1_every": 16,
            "augment": ("affine", "translation", "color"),
            "adaptive_kimg": 100.0,
            "lr_generator": 2e-3,
            "lr_critic": 2e-3,
            "betas_generator": (0.0, 0.99),
            "betas_critic": (0.0, 0.99),
            "path_weight": 2.0,
        },
    },
    "ddpm": {
        "generator": {"kind": "ddpm"},
        "critic": {"kind": "none"},
        "training": {"augment": (), "lr_generator": 5e-4, "betas_generator": (0.9, 0.999), "evaluate_kimg": 30.0},
    },
}

_ABLATIONS: dict[str, dict[str, Any]] = {
    "mlp": {"branch": "mlp"},
    "mlp-wide": {"branch": "mlp", "branch_hidden": 4096},
    "frozen": {"branch": "frozen"},
    "fourier": {"branch": "fourier"},
    "noise": {"branch": "noise"},
    "none": {"branch": "none"},
    "unentangled": {"circuit": {"entangler": "none"}},
    "averaged": {"readout": "mean"},
}
"""Changes to the generator of `hqgan`; depth and qubits are ``--set generator.circuit.layers=0`` and the like."""


def _ablated(changes: dict[str, Any]) -> dict[str, Any]:
    values = _BASE["hqgan"]
    circuit = {**values["generator"]["circuit"], **changes.get("circuit", {})}
    return {**values, "generator": {**values["generator"], **changes, "circuit": circuit}}


PRESETS = {**_BASE, **{f"hqgan-{name}": _ablated(changes) for name, changes in _ABLATIONS.items()}}
