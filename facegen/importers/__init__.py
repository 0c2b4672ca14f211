"""Weights that others published, read as data and rebuilt as networks of facegen."""
