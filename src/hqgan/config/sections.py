"""Data and training as validated sections of a config."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_serializer

Count = Annotated[int, Field(ge=1, le=65_536)]
Depth = Annotated[int, Field(ge=1, le=256)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A part of the config: unknown fields are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


_TABLE_FIELDS = frozenset({"table", "image_column", "label_column", "group_column", "groups"})


class ClassSelection(Section):
    """Which images of a data set are used, and what their classes are called."""

    label: str = ""
    """Column of the labels, for a data set with several: Fitzpatrick17k has ``label`` (114 classes),
    ``nine_partition_label`` (its default) and ``three_partition_label``."""
    table: str = ""
    """CSV file with a row for each image, which takes the place of the data's own layout; data.path is the images' folder."""
    image_column: str = ""
    """Column of the table with the images' files; found by its name where empty, as the next two are."""
    label_column: str = ""
    """Column of the table with the classes."""
    group_column: str = ""
    """Column of the table with what has to stay on one side of the split, such as patients; without one, near-duplicates do."""
    groups: str = ""
    """CSV file with the columns file and group, for a data set that has no lesions or patients of its own; ``groups.csv`` in a
    folder with a sub-folder per class is read by itself."""
    protocol: Literal["", "hybridq"] = ""
    """hybridq: ISIC 2019 as the paper uses it (arXiv 2506.21015): without its ``_downsampled`` images, and a fifth of each
    class, drawn by data.seed."""
    merge: dict[str, tuple[str, ...]] = {}
    """Classes to merge: the name of each new class, and the classes that become it."""
    classes: tuple[str, ...] = ()
    """Classes to keep, in this order, after merging; empty keeps all."""

    @model_serializer(mode="wrap")
    def _only_used(self, handler: Any) -> dict[str, Any]:
        """Without the table's fields where there is none, as selections were stored before there were tables."""
        return {name: value for name, value in handler(self).items() if value or name not in _TABLE_FIELDS}

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


class DataConfig(Section):
    """Where the images come from. The split is drawn from `seed`, so two runs with one seed share their test images."""

    path: str = "demo"
    """Folder or archive of the data set; demo, or demo:2000 for 2000 images, is the procedural one."""
    choice: ClassSelection = ClassSelection()
    size: Literal[32, 64] = 64
    """Side of the images in pixels."""
    fit: Literal["crop", "squeeze"] = "crop"
    """How an image becomes a square. crop: its centre, resized by Lanczos. squeeze: the whole image, resized bilinearly,
    whatever its shape (arXiv 2506.21015)."""
    seed: Seed = 0
    """Random seed of the split, and of procedural images."""
    fraction: float = Field(1.0, gt=0, le=1)
    """Share of the training part's lesions that is used, class by class; for studies of small data sets."""


class PrivacyConfig(Section):
    """Differential privacy of the training part by lesion (docs/privacy.md)."""

    epsilon: float | None = Field(None, gt=0, le=1e4, allow_inf_nan=False)
    """Privacy budget, which training never exceeds; none trains without differential privacy."""
    delta: float = Field(1e-5, gt=0, lt=1)
    """Probability with which the guarantee of epsilon may fail."""
    clip: Rate = 1.0
    """Norm to which the gradient of each lesion is clipped (arXiv 1607.00133)."""


class TrainingConfig(Section):
    """How the run learns. Lengths are in kimg: thousands of real images shown to the critic, repeats counted."""

    kimg: float = Field(60, gt=0, le=1e6)
    """Length of training: thousands of real images shown to the critic, repeats counted."""
    batch: int = Field(16, ge=2, le=4096)
    """Real images per step."""
    seed: Seed = 0
    """Random seed of weights, noise and data order."""
    device: str = "auto"
    """Device to train on: auto, cpu, cuda, cuda:1 and so on; auto takes CUDA if there is one."""
    precision: Literal["32-true", "64-true", "bf16-mixed"] = "32-true"
    """Precision of the networks, in Lightning's names. bf16-mixed: convolutions and matrix products in bfloat16; circuits
    stay in 32 bits."""
    loss: Literal["wgan-gp", "hinge", "logistic", "relativistic"] = "relativistic"
    """Adversarial loss."""
    critic_steps: int = Field(1, ge=1, le=100)
    """Steps of the critic on one real batch for each step of the generator."""
    gp_weight: Weight = 10.0
    """Weight of the gradient penalty of wgan-gp (arXiv 1704.00028)."""
    r1_weight: Weight = 0.1
    """Weight of the R1 penalty on real images, gamma of arXiv 1801.04406; the loss relativistic adds R2 on generated
    images. Not for wgan-gp."""
    r1_every: Count = 8
    """Steps from one R1 penalty to the next; each is weighted by this number (lazy regularisation)."""
    augment: tuple[Literal["color", "translation", "cutout", "affine"], ...] = ("translation",)
    """Differentiable augmentations of real and generated images (arXiv 2006.10738)."""
    dihedral: bool = True
    """Rotate by quarter turns and mirror real images at random: dermatoscopic images have no upright direction."""
    balanced: bool = False
    """Draw every class equally often, instead of as often as it occurs."""
    adaptive_kimg: float = Field(0, ge=0)
    """Thousands of images in which the probability of augmentation may rise from 0 to 1 (adaptive augmentation, arXiv
    2006.06676); 0 always augments."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """Optimiser of all networks."""
    lr_generator: Rate = 2e-4
    """Learning rate of the generator's networks."""
    lr_circuit: Rate = 1e-3
    """Learning rate of the circuits' weights."""
    lr_critic: Rate = 4e-4
    """Learning rate of the critic."""
    betas_generator: tuple[Beta, Beta] = (0.5, 0.99)
    """Adam's two decay rates for the generator."""
    betas_critic: tuple[Beta, Beta] = (0.5, 0.99)
    """Adam's two decay rates for the critic."""
    prototype_weight: Weight = 5e-3
    """Weight of the loss that keeps the prototypes of the classes apart."""
    path_weight: Weight = 0.0
    """Weight of the path-length penalty of a style-based generator (arXiv 1912.04958); 0 turns it off."""
    path_every: Count = 8
    """Steps from one path-length penalty to the next; each is weighted by this number."""
    ema_half_life_kimg: float = Field(5.0, ge=0)
    """Thousands of images after which an old weight counts half in the averaged generator; 0 turns averaging off."""
    log_kimg: float = Field(0.5, gt=0)
    """Thousands of images from one line of metrics.jsonl to the next."""
    sample_kimg: float = Field(5.0, gt=0)
    """Thousands of images from one sample grid to the next."""
    evaluate_kimg: float = Field(10.0, gt=0)
    """Thousands of images from one evaluation to the next."""
    checkpoint_kimg: float = Field(5.0, gt=0)
    """Thousands of images from one checkpoint to the next."""
