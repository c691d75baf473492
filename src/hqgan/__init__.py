"""Hybrid classical-quantum GANs for colour medical images."""

__version__ = "0.1.0"
