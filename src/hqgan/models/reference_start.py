"""The first weights of the paper's generator, as its authors' code draws them (arXiv 2506.21015)."""

from __future__ import annotations

from torch import nn

GAIN = nn.init.calculate_gain("leaky_relu", 0.2)


def draw_reference_start(generator: nn.Module) -> None:
    """Initialise every layer again, from torch's global random state.

    Convolutions: Kaiming normal, gain of ReLU, bias 0. Linear maps: orthogonal with the gain of leaky ReLU 0.2, bias 0.02.
    Norms: 1 and 0. Embeddings: normal, deviation 0.02. Transposed convolutions, circuits and prototypes stay as they were.

    The latent comes through sooner: images of an untrained generator deviate over latents by about 0.01 in place of 0.00005.
    """
    for module in generator.modules():
        match module:
            case nn.Conv2d():
                nn.init.kaiming_normal_(
                    module.weight, nonlinearity="leaky_relu"
                )  # a is 0 there, so the gain is sqrt(2)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            case nn.Linear():
                nn.init.orthogonal_(module.weight, GAIN)
                if module.bias is not None:
                    nn.init.constant_(module.bias, 0.02)
            case nn.BatchNorm1d() | nn.BatchNorm2d() | nn.LayerNorm():
                if module.weight is not None:
                    nn.init.ones_(module.weight)
                    nn.init.zeros_(module.bias)
            case nn.Embedding():
                nn.init.normal_(module.weight, std=0.02)
