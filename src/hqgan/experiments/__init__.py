"""Experiments over many seeds: the augmentation study, the comparison of generators, and what they share."""
