"""The same method as `matrices` in compiled loops, for a CPU; `engine.run` is its door."""
