"""How generated images are measured: feature extractors, metrics, the baseline, and the evaluator that combines them."""
