"""The same method as `statevector` in compiled loops, for a CPU; `engine.run` is its door."""
