"""Data sets as memory-mapped uint8 images: opening, caching, splitting, and drawing batches."""

from hqgan.data.open import ALL_CLASSES, absolute, check_outside, open_configured, open_data
from hqgan.data.sampling import BatchSampler, augment_dihedral, dihedral_ways
from hqgan.data.splits import (
    check_leaks,
    load_split,
    save_split,
    split_by_group,
    split_hash,
    split_of,
    subsample_groups,
)
