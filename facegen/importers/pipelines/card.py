"""The page that goes with an exported pipeline: what it is, and ten lines that sample from it."""

from facegen.networks.diffusion.generator import LatentGenerator

_HEAD = """\
# {title}

A latent diffusion model of faces, {size} pixels, exported by facegen for diffusers' `{pipeline}`.
The terms of the weights stay those of their author.
"""
_UNCONDITIONAL = """\
```python
import torch
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("{folder}")
faces = pipe(batch_size=4, num_inference_steps={steps}, generator=torch.Generator().manual_seed(0)).images
faces[0].save("face.png")
```
"""
_PROMPTS = """\
```python
import torch
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("{folder}")
face = pipe("a smiling face", {hints}num_inference_steps={steps}, guidance_scale={guidance}).images[0]
face.save("face.png")
```
"""
_TOKENS = """\
The model is not told by prompts, all of which mean that nothing is known. `prompt_embeds` are the tokens {shape} of
facegen's conditioner ({names}), which lies beside the pipeline.

```python
import torch
from diffusers import DiffusionPipeline
from facegen.importers.pipelines import load_pipeline  # for conditions; plain diffusers samples without them

pipe, model = DiffusionPipeline.from_pretrained("{folder}"), load_pipeline("{folder}")
told = model.embed({{{example}}}, 1).tokens
latents = torch.randn(1, {latents}, generator=torch.Generator().manual_seed(0))
face = pipe(prompt_embeds=told, latents=latents,
            {hints}num_inference_steps={steps}, guidance_scale={guidance}).images[0]
```
"""
_HINTS = """
Hints are pictures in [0, 1], one for each control, in this order: {names}.
"""
_SAMES = """
Samples of the same starting noise are those of facegen with `sampler={sampler} steps={steps}`, bit by bit.
`facegen import checkpoint={folder} out=FOLDER` reads the model back.
"""


def model_card(network: LatentGenerator, pipeline: str, sampler: str, name: str, prompts: bool) -> str:
    """Markdown for the folder of this name; prompts: whether it has a text encoder."""
    how = network.sampling
    hints = "image=hints, " if network.control_names else ""
    words = {"folder": name, "steps": how.steps, "guidance": how.guidance, "hints": hints, "sampler": sampler}
    text = _HEAD.format(title=name, size=network.img_resolution, pipeline=pipeline) + "\n"
    if network.conditioner is None:
        text += _UNCONDITIONAL.format(**words)
    elif prompts:
        text += _PROMPTS.format(**words)
    else:
        tokens = network.embed({}, 1).tokens
        shape = "" if tokens is None else f"(N, {tokens.shape[1]}, {tokens.shape[2]})"
        names, latents = ", ".join(network.condition_names), ", ".join(map(str, network.latent_shape))
        example = f'"{network.condition_names[0]}": values'
        text += _TOKENS.format(**words, shape=shape, names=names, latents=latents, example=example)
    if network.control_names:
        text += _HINTS.format(names=", ".join(network.control_names))
    return text + _SAMES.format(**words)
