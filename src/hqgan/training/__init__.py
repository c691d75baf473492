"""Training: losses, augmentation, averaging, checkpoints and the loop. Knows neither models nor metrics by name."""
