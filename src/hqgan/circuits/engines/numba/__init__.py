"""The compiled engine: the torch engine's method in loops that numba compiles, for a CPU; called by `engine.run`."""
