"""Files: whole or not at all, locked, images, safetensors tables, pretrained networks."""
