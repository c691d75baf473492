"""Looking at circuits: drawings, counts, expressivity, gradients."""
