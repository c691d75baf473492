"""Feature extractors, what they are trained on, and pretrained networks."""
