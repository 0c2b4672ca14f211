"""Captions and sketches for any source: what Multi-Modal-CelebA-HQ adds to its faces."""
