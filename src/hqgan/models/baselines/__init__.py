"""The generators that the hybrid is compared with, one file each."""
