"""A trained generator: loaded, shared, its images generated, described and exported."""
