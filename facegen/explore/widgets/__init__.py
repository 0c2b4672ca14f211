"""Pieces of the page that several rooms use."""
