"""The web page of `hqgan serve`: what it shows, computed by plain functions, and the gradio application around them."""
