"""A training run: its data, networks, loop and folder."""
