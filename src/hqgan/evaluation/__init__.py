"""What a trained generator is worth: distances, its latent space, hardware noise, copying."""
