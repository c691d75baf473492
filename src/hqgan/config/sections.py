"""Data and training as validated sections of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=65_536)]
Depth = Annotated[int, Field(ge=1, le=256)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A part of the config: unknown fields are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassSelection(Section):
    """Which images of a data set are taken, and what their classes are."""

    label: str = ""
    """Column of the labels, where a data set has several: of Fitzpatrick17k ``label`` (114), ``nine_partition_label`` (its
    default) or ``three_partition_label``."""
    protocol: Literal["", "hybridq"] = ""
    """hybridq: ISIC 2019 as in the paper (arXiv 2506.21015): no ``_downsampled`` images, and a fifth of each class, drawn by the
    data's seed."""
    merge: dict[str, tuple[str, ...]] = {}
    """New class to the classes that become it."""
    classes: tuple[str, ...] = ()
    """To keep, in this order, after merging; none for all."""

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


class DataConfig(Section):
    """Where the images come from. The split is drawn from `seed`, so two runs with one seed share their test images."""

    path: str = "demo"
    choice: ClassSelection = ClassSelection()
    size: Literal[32, 64] = 64
    fit: Literal["crop", "squeeze"] = "crop"
    """How an image becomes a square. crop: its centre, resized by Lanczos. squeeze: all of it, bilinear, whatever its shape
    (arXiv 2506.21015)."""
    seed: Seed = 0
    fraction: float = Field(1.0, gt=0, le=1)
    """Share of the training part's lesions, class by class, that is used at all: for studies of little data."""


class PrivacyConfig(Section):
    """Differential privacy of the training part by lesion (docs/privacy.md)."""

    epsilon: float | None = Field(None, gt=0, le=1e4, allow_inf_nan=False)
    """Never exceeded; none for training without privacy."""
    delta: float = Field(1e-5, gt=0, lt=1)
    clip: Rate = 1.0
    """Largest norm of one lesion's gradient (arXiv 1607.00133)."""


class TrainingConfig(Section):
    """How the run learns. Lengths are in kimg: thousands of real images shown to the critic, repeats counted."""

    kimg: float = Field(60, gt=0, le=1e6)
    batch: int = Field(16, ge=2, le=4096)
    seed: Seed = 0
    device: str = "auto"
    precision: Literal["32-true", "64-true", "bf16-mixed"] = "32-true"
    """As Lightning names them. bf16-mixed: convolutions and products in bfloat16, circuits in 32 bits all the same."""
    loss: Literal["wgan-gp", "hinge", "logistic", "relativistic"] = "relativistic"
    critic_steps: int = Field(1, ge=1, le=100)
    """Critic steps on one real batch for each generator step."""
    gp_weight: Weight = 10.0
    """Gradient penalty of wgan-gp (arXiv 1704.00028)."""
    r1_weight: Weight = 0.1
    """R1 penalty on real images, gamma of arXiv 1801.04406; relativistic adds R2 on generated ones. Not for wgan-gp."""
    r1_every: Count = 8
    """Steps between two R1 penalties, each weighted by this number (lazy regularisation)."""
    augment: tuple[Literal["color", "translation", "cutout", "affine"], ...] = ("translation",)
    """Differentiable augmentation of real and generated images alike (arXiv 2006.10738)."""
    dihedral: bool = True
    """Turn and mirror real images: dermatoscopy has no up."""
    balanced: bool = False
    """Draw every class equally often instead of as often as it occurs."""
    adaptive_kimg: float = Field(0, ge=0)
    """Images over which `augment` may go from never to always (arXiv 2006.06676, "ada"); 0: it is always done."""
    optimiser: Literal["adam", "sgd"] = "adam"
    lr_generator: Rate = 2e-4
    lr_circuit: Rate = 1e-3
    lr_critic: Rate = 4e-4
    betas_generator: tuple[Beta, Beta] = (0.5, 0.99)
    betas_critic: tuple[Beta, Beta] = (0.5, 0.99)
    prototype_weight: Weight = 5e-3
    path_weight: Weight = 0.0
    """Path-length regularisation of a style-based generator (arXiv 1912.04958); 0 turns it off."""
    path_every: Count = 8
    """Steps between two such penalties, each weighted by this number."""
    ema_half_life_kimg: float = Field(5.0, ge=0)
    """Images after which half of an old weight is forgotten; 0 turns averaging off."""
    log_kimg: float = Field(0.5, gt=0)
    sample_kimg: float = Field(5.0, gt=0)
    evaluate_kimg: float = Field(10.0, gt=0)
    checkpoint_kimg: float = Field(5.0, gt=0)
