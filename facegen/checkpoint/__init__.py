"""Files of weights: our own (safetensors and JSON, `facegen.load`), and those of others, read as data."""

from facegen.checkpoint.digest import weights_digest
from facegen.checkpoint.weights import (
    CONFIG_NAME,
    WEIGHTS_NAME,
    atomic_write,
    build_network,
    cache_folder,
    checkpoint_files,
    load,
    network_config,
    package_file,
    read_checkpoint,
    save_network,
)

__all__ = [
    "CONFIG_NAME",
    "WEIGHTS_NAME",
    "atomic_write",
    "build_network",
    "cache_folder",
    "checkpoint_files",
    "load",
    "network_config",
    "package_file",
    "read_checkpoint",
    "save_network",
    "weights_digest",
]
