"""How results are measured: extractors (views), distances, the bar, and the protocols that put them together."""
