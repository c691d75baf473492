"""The presets: each a config's values, all else being the defaults."""

from __future__ import annotations

from typing import Any

# The paper's own settings for ISIC 2019 (its code's command line; see docs/architecture.md).
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

PRESETS: dict[str, dict[str, Any]] = {
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
    "paper": {"generator": {"kind": "hybrid"}, "training": _PAPER_TRAINING},
    "dcgan": {"generator": {"kind": "dcgan"}, "critic": _SMALL_CRITIC},
    "demo": {
        "generator": {
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
        },
        "critic": {"channels": (32, 64, 128, 256), "head": "flat", "bias": True, "start": "he"},
        "training": {
            "lr_generator": 4e-4,
            "kimg": 30.0,
            "ema_half_life_kimg": 2.0,
            "sample_kimg": 3.0,
            "checkpoint_kimg": 3.0,
        },
    },
}
