"""Tiny samples of published datasets, in exactly the layout that their authors ship."""
