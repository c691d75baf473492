"""Procedural lesions, for tests and the demo."""
