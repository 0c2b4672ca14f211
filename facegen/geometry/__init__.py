"""Cameras, angles and frames: the only place where a convention is defined."""
