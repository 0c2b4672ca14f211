"""Published heuristics that one setting derives from others, for use inside YAML files as `${name:...}`."""

from omegaconf import OmegaConf


def auto_batch_size(resolution: int, processes: int) -> int:
    """StyleGAN2-ADA's `auto` batch: up to 32 images per process and 64 in all, fewer at high resolutions."""
    return max(min(processes * max(min(4096 // resolution, 32), 1), 64), processes)


def auto_channel_base(resolution: int) -> int:
    """StyleGAN2-ADA's `auto` width: full from 512 pixels on, half below."""
    return 32768 if resolution >= 512 else 16384


def auto_group_size(batch_size: int, processes: int) -> int:
    """Samples per group of the minibatch standard deviation: a process's batch, at most 4."""
    return min(batch_size // processes, 4)


def register() -> None:
    """Make the heuristics known to OmegaConf; harmless when repeated."""
    for function in (auto_batch_size, auto_channel_base, auto_group_size):
        OmegaConf.register_new_resolver(function.__name__, function, replace=True)
