"""Power-function averages kept over training, from which averages of any width can be made afterwards."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from safetensors.torch import save_file

from facegen.callbacks.clock import due
from facegen.checkpoint import atomic_write
from facegen.models.posthoc import AVERAGES, average_path


class StoredAverages(pl.Callback):
    """`averages/<kimg>-<std>.safetensors` every `every_kimg` and at the end, in half precision as published.

    For models whose averages are power functions (`ema: power`); `facegen export ema_std=0.12` combines them.
    """

    def __init__(self, folder: str | Path, total_kimg: float, every_kimg: float) -> None:
        self.folder = Path(folder)
        self.every, self.total_images = max(round(every_kimg * 1000), 1), round(total_kimg * 1000)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Forget averages of the future, which a killed run left."""
        for path in (self.folder / AVERAGES).glob("*.safetensors") if trainer.is_global_zero else ():
            if round(float(path.stem.split("-")[0]) * 1000) > pl_module.images_seen:
                path.unlink()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any = None, batch: Any = None, batch_idx: int = 0
    ) -> None:
        """Store when due and at the end."""
        seen = pl_module.images_seen
        if trainer.is_global_zero and (seen >= self.total_images or due(seen, pl_module.batch_size, self.every)):
            for std, parts in pl_module.averages.kept(pl_module.averaged_parts()).items():
                state = {
                    f"{name}.{key}": tensor.detach().cpu().contiguous()
                    for name, network in parts.items()
                    for key, tensor in network.state_dict().items()
                }
                halved = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
                with atomic_write(average_path(self.folder, seen, std)) as temporary:
                    save_file(halved, temporary)
