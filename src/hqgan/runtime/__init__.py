"""Which of torchrun's processes this is; streams of random numbers; threads."""
