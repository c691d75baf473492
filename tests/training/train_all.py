"""Train a few steps of every kind of model into the folder that is given, by as many processes as torchrun has started."""

import sys
from pathlib import Path

import torch

from hqgan import config as configs
from hqgan.run.train import train

SMALL = {
    "data.path": "demo:160",
    "data.size": 32,
    "training.batch": 8,
    "training.kimg": 0.04,
    "training.log_kimg": 0.008,
    "training.evaluate_kimg": 1.0,
    "training.sample_kimg": 1.0,
    "training.checkpoint_kimg": 1.0,
    "training.precision": "64-true",
}
CRITIC = {"critic.channels": [8, 8, 16, 16]}
HYBRID = {
    "generator.encoder_channels": 16,
    "generator.feature_channels": 16,
    "generator.decoder_channels": [16, 8],
    "generator.circuit.qubits": 3,
    "generator.circuit.layers": 2,
}
MODELS = {
    "demo": {**CRITIC, **HYBRID, "training.augment": ["color", "translation", "cutout"], "generator.circuit.shots": 64},
    "paper": {
        **CRITIC,
        **HYBRID,
        "generator.decoder": "style2",
        "generator.decoder_channels": [16, 8, 8],
        "training.kimg": 0.12,
    },
    "dcgan": CRITIC,
    "lightweight": {"critic.channels": [8, 8, 8, 8]},
    "stylegan2-ada": {
        "generator.channels": [8, 8, 8, 8, 8],
        "generator.style": 8,
        "generator.latent": 8,
        "critic.channels": [8, 8, 8, 8, 8],
        "training.path_every": 2,
        "training.r1_every": 2,
        "training.adaptive_kimg": 0.1,
    },
    "ddpm": {"generator.channels": [32, 32], "generator.timesteps": 20, "generator.sampling_steps": 2},
    "mosaiq": {},
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, changes in MODELS.items():
        train(configs.preset(name, {**SMALL, **changes}), Path(sys.argv[1]) / name)
