"""Experiments over many seeds: the augmentation study and the comparison of generators."""
