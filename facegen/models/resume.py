"""What a run and the run that continues it must have in common."""

from collections.abc import Mapping
from typing import Any


def check_configuration(stored: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of another configuration: raises ValueError with the first thing that differs."""
    for key, value in stored.items():
        if ours.get(key) != value:
            raise ValueError(
                f"resume: the checkpoint was trained with {key}={value!r}, this run has {ours.get(key)!r}. "
                "Resume with the same configuration, or start from its weights with finetune_from=PATH."
            )
