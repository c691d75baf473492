"""Files: atomic writes, locks, images, safetensors tables, pretrained networks."""
