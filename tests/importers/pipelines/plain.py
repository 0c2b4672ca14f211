"""Samples of pipelines in a process that has diffusers and not facegen: `python plain.py FOLDER ...`.

Each folder holds `inputs.safetensors` beside the pipeline's files; what comes out goes to `outputs.safetensors`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline  # type: ignore[attr-defined]
from safetensors.torch import load_file, save_file


def sample(folder: Path) -> dict[str, torch.Tensor]:
    """Pictures (N, H, W, 3) in [0, 1], for each guidance."""
    pipe: Any = DiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    inputs, asked = load_file(folder / "inputs.safetensors"), json.loads((folder / "asked.json").read_text())
    how: dict[str, Any] = {"num_inference_steps": asked["steps"], "output_type": "np"}
    if type(pipe).__name__ == "LDMPipeline":
        seeded = torch.Generator().manual_seed(asked["seed"])
        return {"1.0": torch.from_numpy(pipe(batch_size=2, generator=seeded, **how).images)}
    hints = [inputs[name] for name in sorted(inputs) if name.startswith("hint.")]
    if hints:
        scales = asked["scales"]
        several = len(hints) > 1
        how["image"] = hints if several else hints[0]
        how["controlnet_conditioning_scale"] = scales if several else scales[0]
    how |= {"prompt": asked["prompts"]} if asked["prompts"] else {"prompt_embeds": inputs["tokens"]}
    return {
        str(guidance): torch.from_numpy(pipe(latents=inputs["latents"], guidance_scale=guidance, **how).images)
        for guidance in asked["guidance"]
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    for argument in sys.argv[1:]:
        made = {name: pictures.contiguous() for name, pictures in sample(Path(argument)).items()}
        save_file(made, Path(argument) / "outputs.safetensors")
    assert not any(name.split(".")[0] == "facegen" for name in sys.modules)
