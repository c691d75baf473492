"""What simulates circuits here: matrix products in torch, compiled loops on a CPU."""
