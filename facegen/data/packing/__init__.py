"""Recipes as files for others: NVIDIA's zip, or tar shards that can be streamed from object storage."""

from facegen.data.packing.plan import PackSettings
from facegen.data.packing.writing import Packed, pack

__all__ = ["PackSettings", "Packed", "pack"]
