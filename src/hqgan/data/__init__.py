"""Data sets as memory-mapped uint8 images: opening, caching, splitting, and drawing batches."""

from hqgan.data.open import ALL_CLASSES, check_outside, open_configured, open_data
from hqgan.data.sampling import BatchSampler, augment_dihedral, dihedral_ways
from hqgan.data.splits import check_leaks, load_split, save_split, split_by_group, split_of, subsample_groups

__all__ = [
    "ALL_CLASSES",
    "BatchSampler",
    "augment_dihedral",
    "check_leaks",
    "check_outside",
    "dihedral_ways",
    "load_split",
    "open_configured",
    "open_data",
    "save_split",
    "split_by_group",
    "split_of",
    "subsample_groups",
]
