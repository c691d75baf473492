"""Small textured lesions of three classes, one of them rare; no data set needed."""

import numpy as np

from hqgan.types import ImageData, LabelledImages


def lesions(counts: tuple[int, ...], seed: int, size: int = 32) -> LabelledImages:
    """uint8 images (N, size, size, 3) and labels (N,): blobs whose colour, size and texture differ by class."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    skins = np.array([225.0, 165, 150])
    colours = np.array([[120.0, 70, 50], [170, 50, 70], [60, 50, 90]])
    images, labels = [], []
    for c, count in enumerate(counts):
        for _ in range(count):
            radius = (0.2 + 0.06 * c) * rng.uniform(0.8, 1.2)
            dx, dy = rng.normal(0, 0.05, 2)
            angle = rng.uniform(0, np.pi)
            u = (x - dx) * np.cos(angle) + (y - dy) * np.sin(angle)
            v = (y - dy) * np.cos(angle) - (x - dx) * np.sin(angle)
            mask = 1 / (1 + np.exp(40 * (np.hypot(u, v * rng.uniform(1, 1.4)) - radius)))
            texture = np.sin(u * (60 + 30 * c)) * np.sin(v * (60 + 30 * c)) * 25 * mask
            skin = skins * rng.uniform(0.9, 1.05) + rng.normal(0, 6, 3)
            image = skin + mask[..., None] * (colours[c] + rng.normal(0, 10, 3) - skin) + texture[..., None]
            images.append(image + rng.normal(0, 3, image.shape))
            labels.append(c)
    return LabelledImages(np.stack(images).round().clip(0, 255).astype(np.uint8), np.array(labels))


def data_of(images: np.ndarray, labels: np.ndarray, fingerprint: str = "a", classes: int = 3) -> ImageData:
    """A data set of these images, each of a lesion of its own."""
    numbers = np.arange(len(labels))
    names = tuple(f"class {c}" for c in range(classes))
    return ImageData("made up", names, images, labels, numbers.astype(str), numbers, numbers.astype(str), fingerprint)
