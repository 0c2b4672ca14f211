"""From a generator, a plan and recipes to streams of pictures, and to the protocol that results carry."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

from facegen.checkpoint import weights_digest
from facegen.data.views import label_pool
from facegen.evaluation.asked import RealFaces, known, sampling_of
from facegen.evaluation.faces import FaceStream, Pool
from facegen.evaluation.pairs import DiversityStream, IdentityStream, PairStream, PathStream
from facegen.evaluation.plan import ADHERENCE, FROM_FEATURES, OF_3D, OF_MODES, OF_PAIRS, Denoising, NamedRecipe, Plan
from facegen.geometry.cameras import LABEL_SIZE
from facegen.metrics.extractors import Extractor
from facegen.metrics.fid3d import SAME, Mode, modes
from facegen.networks.diffusion import is_diffusion
from facegen.networks.eg3d import is_3d

MOST_FACES = 1024  # of which identity is judged, as EG3D does
_PAIRS = {"ppl": PathStream, "diversity": DiversityStream, "identity": IdentityStream}
_OF_RECIPE = ("resolution", "filter", "crop", "mirror", "convert", "rebalance", "faces", "items", "fingerprint")


def check(generator: nn.Module, plan: Plan, real: Sequence[NamedRecipe]) -> None:
    """Raise ValueError for a plan that this generator and these recipes cannot follow."""
    flat = [] if has_views(generator) else [name for name in plan.metrics if name in OF_3D]
    alone = [] if real else [name for name in plan.metrics if name in (*FROM_FEATURES, ADHERENCE)]
    if flat:
        raise ValueError(
            f"metrics: got {flat[0]}, which asks a 3D generator (EG3D) or a diffusion model with the condition camera "
            "for views; this one makes images"
        )
    if ADHERENCE in plan.metrics and not is_diffusion(generator):
        raise ValueError("metrics: got adherence, which asks a diffusion model for what real faces have; leave it out")
    check_denoising(generator, plan)
    if alone:
        raise ValueError(f"metrics: got {alone[0]}, which compares with real images; add data=NAME")
    side: Any = generator.img_resolution
    for name, recipe in real:
        if recipe.resolution != side:
            raise ValueError(f"{name}: got pictures of {recipe.resolution} pixels, expected the generator's {side}")
        if generator.c_dim and recipe.c_dim != generator.c_dim:
            raise ValueError(f"{name}: got labels of {recipe.c_dim} numbers, the generator takes {generator.c_dim}")
    if len({recipe.fingerprint for _, recipe in real}) < len(real):
        raise ValueError(f"against: got the same pictures as data ({real[0].name}); choose another recipe")


def check_denoising(generator: Any, plan: Plan) -> None:
    """Raise ValueError for settings of samplers that this generator does not have, or of mappings that it has not."""
    if is_diffusion(generator):
        if "ppl" in plan.metrics:
            raise ValueError("metrics: got ppl, path length in w, which a diffusion model does not have; leave it out")
        if plan.truncation != 1:
            raise ValueError(
                f"truncation: got {plan.truncation}, which a diffusion model does not have; guidance=2 trades variety "
                "for fidelity"
            )
        sampling_of(generator, plan.denoising)
    elif given := [name for name in Denoising._fields if getattr(plan.denoising, name) != getattr(Denoising(), name)]:
        kind = type(generator).__name__
        raise ValueError(f"{given[0]}: got a {kind}, which has no sampler; the setting is of diffusion models")


@contextmanager
def resting(generator: nn.Module) -> Iterator[None]:
    """The generator in eval mode, and as it was afterwards."""
    before = {module: module.training for module in generator.modules()}
    generator.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training


def face_stream(generator: Any, plan: Plan, real: Sequence[NamedRecipe], extractor: Extractor) -> FaceStream:
    """The pictures that the metrics of a plan need, all in one pass."""
    names, told = [name for name, _ in real], tells(generator, plan)
    if not generator.c_dim and not (told and real):
        chosen, pools = (Mode(SAME, "all"),), ()
    elif not real:
        chosen, pools = (Mode(SAME, "average"),), (average_pool(generator),)
    else:
        everywhere = is_3d(generator) and set(plan.metrics) & set(OF_MODES)
        chosen = modes(names) if everywhere else tuple(Mode(SAME, name) for name in names)
        pools = tuple(label_pool_of(named, told) for named in real)
    rest = (generator, weights_digest(generator), extractor, plan, chosen, pools)
    return FaceStream("generated", plan.num_images, plan.batch_size, *rest)


def pair_streams(
    generator: Any, plan: Plan, real: Sequence[NamedRecipe], judges: Mapping[str, Any]
) -> dict[str, PairStream]:
    """The pairs of pictures that the metrics of a plan need, by metric; labels are those of the first recipe."""
    wanted = [name for name in OF_PAIRS if name in plan.metrics]
    if missing := [name for name in wanted if name not in judges]:
        raise ValueError(f"metrics: got {missing[0]}, but no network to judge its pairs with")
    if not wanted:
        return {}
    pool, told = None, tells(generator, plan)
    if generator.c_dim or (told and real):
        pool = label_pool_of(real[0], told) if real else average_pool(generator)
    digest = weights_digest(generator)
    return {
        name: _PAIRS[name](name, _num_pairs(name, plan), plan.batch_size, generator, digest, plan, pool, judges[name])
        for name in wanted
    }


def _num_pairs(name: str, plan: Plan) -> int:
    return min(plan.num_images, MOST_FACES) if name == "identity" else plan.num_images


def label_pool_of(named: NamedRecipe, with_faces: bool = False) -> Pool:
    """Labels of an average epoch of a recipe, and the faces that have them."""
    faces = RealFaces.of(named.recipe) if with_faces else None
    return Pool(named.name, named.recipe.fingerprint, label_pool(named.recipe), faces)


def has_views(generator: Any) -> bool:
    """Whether a camera says from where faces are seen: of EG3D, or of a diffusion model with the condition camera."""
    return is_3d(generator) or (is_diffusion(generator) and "camera" in generator.condition_names)


def tells(generator: Any, plan: Plan) -> bool:
    """Whether pictures are asked for more than their labels."""
    if not is_diffusion(generator) or plan.denoising.conditions == "dropped":
        return False
    return bool(generator.control_names or set(generator.condition_names) - {"camera", "class"})


def average_pool(generator: Any) -> Pool:
    """The one label that stands for all where no real ones are known."""
    if is_3d(generator):
        return Pool("average", "average", generator.average_camera().cpu().numpy())
    return Pool("average", "average", np.full((1, generator.c_dim), 1 / generator.c_dim, np.float32))


def protocol(generator: Any, plan: Plan, real: Sequence[NamedRecipe], extractor: Extractor) -> dict[str, Any]:
    """What two figures must share to be compared."""
    described = {name: recipe.describe() for name, recipe in real}
    settings = ("num_images", "num_real", "truncation", "noise_mode", "batch_size")
    return {
        "distance": distance_name(extractor.name),
        "extractor": extractor.protocol,
        "resolution": generator.img_resolution,
        "recipes": {name: {key: each.get(key) for key in _OF_RECIPE} for name, each in described.items()},
        **(_cameras(generator) if is_3d(generator) else {}),
        **({"sampling": _sampling(generator, plan, real)} if is_diffusion(generator) else {}),
        **{name: getattr(plan, name) for name in settings},
    }


def judge_of(judge: Any) -> dict[str, Any]:
    """What a figure about pairs has in its protocol in the place of the extractor."""
    return {"distance": judge.name, "extractor": getattr(judge, "protocol", judge.name)}


def distance_name(extractor: str) -> str:
    """FID is a Fréchet distance of Inception's features; any other has to say whose."""
    return "FID" if extractor.startswith("inception") else f"FD ({extractor})"


def _sampling(generator: Any, plan: Plan, real: Sequence[NamedRecipe]) -> dict[str, Any]:
    """The sampler, and what pictures are told: real faces' conditions and hints, as far as their recipe has them."""
    told = {
        name: known(generator, recipe.conditions, recipe.c_dim == LABEL_SIZE) if tells(generator, plan) else []
        for name, recipe in real
    }
    return sampling_of(generator, plan.denoising) | {"told": told}


def _cameras(generator: Any) -> dict[str, Any]:
    settings = generator.rendering_kwargs
    return {
        "pivot": settings.get("avg_camera_pivot"),
        "radius": settings.get("avg_camera_radius"),
        "plane_axes": generator.plane_axes,
        "neural_rendering_resolution": generator.neural_rendering_resolution,
        "depth_samples": [settings.get("depth_resolution"), settings.get("depth_resolution_importance")],
    }
