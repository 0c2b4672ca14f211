"""The EG3D generator: a StyleGAN2 backbone makes three planes of features, which are rendered and upsampled."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facegen.geometry import cameras
from facegen.networks.eg3d.decoder import OSGDecoder
from facegen.networks.eg3d.superresolution import Superresolution, tiny_plan
from facegen.networks.stylegan2 import Generator
from facegen.networks.stylegan2.generator import NoiseMode, Randn
from facegen.rendering.volume import (
    Field,
    Rendering,
    TriPlane,
    VolumeOptions,
    camera_rays,
    plane_axes,
    render,
)
from facegen.rendering.volume.renderer import Random

FEATURES = 32  # channels of each plane, and of what is rendered from them
W_AVG_BETA = 0.998
LPFF_RADIUS = 2.6992  # of the constant camera that LPFF's networks were conditioned on
LABEL_STD = "dataset_label_std"  # a buffer that EG3D's training adds to its snapshots and nothing reads

# The published setting for faces. `c_scale` is 0 where a configuration leaves it out: the published fallback.
FFHQ_RENDERING: dict[str, Any] = {
    "image_resolution": 512,
    "disparity_space_sampling": False,
    "clamp_mode": "softplus",
    "superresolution_module": "SuperresolutionHybrid8XDC",
    "superresolution_noise_mode": "none",
    "sr_antialias": True,
    "c_gen_conditioning_zero": False,
    "c_gen_conditioning_avg": False,
    "c_scale": 1.0,
    "decoder_lr_mul": 1.0,
    "depth_resolution": 48,
    "depth_resolution_importance": 48,
    "ray_start": 2.25,
    "ray_end": 3.3,
    "box_warp": 1.0,
    "avg_camera_radius": 2.7,
    "avg_camera_pivot": [0.0, 0.0, 0.2],
}


class Output(NamedTuple):
    """Images, the renderings they were upsampled from (both about [-1, 1]), and distances along rays."""

    image: Float[Tensor, "batch 3 height width"]
    image_raw: Float[Tensor, "batch 3 raw_height raw_width"]
    image_depth: Float[Tensor, "batch 1 raw_height raw_width"]


class TriPlaneGenerator(nn.Module):
    """Latents (N, z_dim) and cameras (N, 25) to images (N, 3, R, R) with geometry.

    Arguments are the official ones, with four more. rendering_kwargs: official names, by default the published setting
    for faces; `superresolution_module` also takes `tiny`, a 2X module for any image size. plane_axes: projections of
    the planes (see `facegen.rendering.volume.PLANE_AXES`), by default those of the released weights. plane_resolution:
    side of the planes. neural_rendering_resolution: side of the renderings.
    """

    def __init__(
        self,
        z_dim: int = 512,
        c_dim: int = 25,
        w_dim: int = 512,
        img_resolution: int = 512,
        img_channels: int = 3,
        sr_num_fp16_res: int = 0,
        mapping_kwargs: dict[str, Any] | None = None,
        rendering_kwargs: Mapping[str, Any] | None = None,
        sr_kwargs: dict[str, Any] | None = None,
        plane_axes: str = "xy_xz_zx",
        plane_resolution: int = 256,
        neural_rendering_resolution: int = 64,
        **synthesis_kwargs: Any,
    ) -> None:
        super().__init__()
        settings = dict(FFHQ_RENDERING if rendering_kwargs is None else rendering_kwargs)
        self.init_kwargs: dict[str, Any] = {
            "z_dim": z_dim,
            "c_dim": c_dim,
            "w_dim": w_dim,
            "img_resolution": img_resolution,
            "img_channels": img_channels,
            "sr_num_fp16_res": sr_num_fp16_res,
            "mapping_kwargs": dict(mapping_kwargs or {}),
            "rendering_kwargs": settings,
            "sr_kwargs": dict(sr_kwargs or {}),
            "plane_axes": plane_axes,
            "plane_resolution": plane_resolution,
            "neural_rendering_resolution": neural_rendering_resolution,
            **synthesis_kwargs,
        }
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.rendering_kwargs = settings
        self.plane_axes = plane_axes
        self.backbone = Generator(
            z_dim,
            c_dim,
            w_dim,
            plane_resolution,
            3 * FEATURES,
            mapping_kwargs={"w_avg_beta": W_AVG_BETA, **(mapping_kwargs or {})},
            synthesis_kwargs=synthesis_kwargs,
        )
        self.num_ws = self.backbone.num_ws
        module = settings["superresolution_module"]
        self.superresolution = Superresolution(
            tiny_plan(img_resolution) if module == "tiny" else module,
            channels=FEATURES,
            img_resolution=img_resolution,
            sr_num_fp16_res=sr_num_fp16_res,
            sr_antialias=settings.get("sr_antialias", True),
            w_dim=w_dim,
            **(sr_kwargs or {}),
        )
        self.decoder = OSGDecoder(FEATURES, FEATURES, settings.get("decoder_lr_mul", 1))
        self.register_load_state_dict_pre_hook(_accept_label_std)

    # Settings that a training run or a user changes; they go into checkpoints ------------------------------------

    @property
    def neural_rendering_resolution(self) -> int:
        """Side of the renderings in pixels."""
        return self.init_kwargs["neural_rendering_resolution"]

    @neural_rendering_resolution.setter
    def neural_rendering_resolution(self, side: int) -> None:
        self.init_kwargs["neural_rendering_resolution"] = int(side)

    @property
    def plane_axes(self) -> str:
        """Name of the planes' projections."""
        return self.init_kwargs["plane_axes"]

    @plane_axes.setter
    def plane_axes(self, name: str) -> None:
        self._axes = plane_axes(name)
        self.init_kwargs["plane_axes"] = name

    @property
    def options(self) -> VolumeOptions:
        """How rays are sampled."""
        return VolumeOptions.of(self.rendering_kwargs)

    # From latents to images -------------------------------------------------------------------------------------

    def average_camera(self) -> Float[Tensor, "1 25"]:
        """Frontal camera at the radius and pivot of `rendering_kwargs`."""
        return self.cameras_at(math.pi / 2, math.pi / 2)

    def cameras_at(self, h: float | Tensor, v: float | Tensor) -> Float[Tensor, "camera 25"]:
        """Cameras around this generator's faces at look-at angles in radians (see `geometry.cameras.look_at`)."""
        pivot = self.rendering_kwargs.get("avg_camera_pivot", cameras.PIVOT)
        pose = cameras.look_at(h, v, pivot, self._radius)
        return cameras.label(pose, cameras.pinhole_intrinsics())

    def depth_limits(self) -> tuple[float, float]:
        """Distances between which an average camera sees anything: where rays start and end, or those of the volume."""
        options = self.options
        if options.ray_start != "auto" and options.ray_end != "auto":
            return float(options.ray_start), float(options.ray_end)
        reach = math.sqrt(3) / 2 * options.box_warp
        return self._radius - reach, self._radius + reach

    @property
    def _radius(self) -> float:
        return self.rendering_kwargs.get("avg_camera_radius", cameras.RADIUS)

    def condition(self, c: Float[Tensor, "batch c_dim"]) -> Float[Tensor, "batch c_dim"]:
        """The camera that the mapping network is told, by the settings for its conditioning."""
        settings = self.rendering_kwargs
        if settings.get("c_gen_conditioning_avg", False):
            frontal = cameras.look_at(math.pi / 2, math.pi / 2, radius=LPFF_RADIUS)
            return cameras.label(frontal, cameras.pinhole_intrinsics()).to(c).expand(len(c), -1)
        if settings.get("c_gen_conditioning_zero", False):
            return torch.zeros_like(c)
        return c * settings.get("c_scale", 0)

    def mapping(
        self,
        z: Float[Tensor, "batch z_dim"],
        c: Float[Tensor, "batch c_dim"],
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        update_w_avg: bool = False,
    ) -> Float[Tensor, "batch num_ws w_dim"]:
        """ws for latents and conditioning cameras."""
        return self.backbone.mapping(z, self.condition(c), truncation_psi, truncation_cutoff, update_w_avg)

    def planes(
        self, ws: Float[Tensor, "batch num_ws w_dim"], noise_mode: NoiseMode = "const", randn: Randn | None = None
    ) -> Float[Tensor, "batch 3 channel height width"]:
        """Features on the three planes: all that a face is, whichever camera looks at it."""
        found = self.backbone.synthesis(ws, noise_mode=noise_mode, randn=randn)
        return found.unflatten(1, (3, FEATURES))

    def field(
        self, planes: Float[Tensor, "batch 3 channel height width"]
    ) -> Callable[[Float[Tensor, "batch point 3"]], Field]:
        """The function from points in the world to colour features (N, M, 32) and raw density (N, M, 1)."""
        box = float(self.rendering_kwargs.get("box_warp", 1.0))
        features = TriPlane(planes, self._axes.to(planes.device), box)
        return lambda points: self.decoder(features(points))

    def render(
        self,
        planes: Float[Tensor, "batch 3 channel height width"],
        c: Float[Tensor, "batch 25"],
        resolution: int | None = None,
        rand: Random | None = None,
        randn: Random | None = None,
        chunk: int | None = None,
    ) -> Rendering:
        """What the rays of square pictures see, row by row; see `facegen.rendering.volume.render`."""
        rays = camera_rays(*cameras.split_label(c), resolution or self.neural_rendering_resolution)
        return render(self.field(planes), rays, self.options, rand, randn, chunk)

    def synthesis(
        self,
        ws: Float[Tensor, "batch num_ws w_dim"],
        c: Float[Tensor, "batch 25"],
        neural_rendering_resolution: int | None = None,
        noise_mode: NoiseMode = "const",
        rand: Random | None = None,
        randn: Random | None = None,
        planes: Float[Tensor, "batch 3 channel height width"] | None = None,
        chunk: int | None = None,
    ) -> Output:
        """Images from cameras `c`. `rand` jitters the samples on rays, `randn` is the backbone's noise.

        planes: of these ws, where they are known already. chunk: rays rendered at a time.
        """
        side = neural_rendering_resolution or self.neural_rendering_resolution
        if planes is None:
            planes = self.planes(ws, noise_mode, randn)
        seen = self.render(planes, c, side, rand, randn, chunk)
        features, depth = (value.mT.unflatten(2, (side, side)) for value in (seen.features, seen.depth))
        raw = features[:, :3]
        sr_noise: Any = self.rendering_kwargs.get("superresolution_noise_mode", "none")
        image = self.superresolution(raw, features, ws, noise_mode=sr_noise, randn=randn)
        return Output(image, raw, depth)

    def sample_mixed(
        self,
        coordinates: Float[Tensor, "batch point 3"],
        ws: Float[Tensor, "batch num_ws w_dim"],
        noise_mode: NoiseMode = "const",
        randn: Randn | None = None,
        planes: Float[Tensor, "batch 3 channel height width"] | None = None,
    ) -> Field:
        """Colour features and raw density at points in the world; the density is softplus(sigma - 1)."""
        return self.field(self.planes(ws, noise_mode, randn) if planes is None else planes)(coordinates)

    def forward(
        self,
        z: Float[Tensor, "batch z_dim"],
        c: Float[Tensor, "batch c_dim"],
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **synthesis_kwargs: Any,
    ) -> Output:
        """Conditioned on the cameras that it is rendered from; `mapping` and `synthesis` take different ones."""
        return self.synthesis(self.mapping(z, c, truncation_psi, truncation_cutoff), c, **synthesis_kwargs)


def is_3d(generator: nn.Module) -> bool:
    """Whether cameras look at what a generator makes (EG3D), or it makes images only (StyleGAN2)."""
    return isinstance(generator, TriPlaneGenerator)


def _accept_label_std(module: nn.Module, state: Mapping[str, Any], prefix: str, *_: Any) -> None:
    """Make room for the buffer that snapshots of EG3D's training have and its networks have not."""
    stored = state.get(prefix + LABEL_STD)
    if stored is not None and LABEL_STD not in module._buffers:
        module.register_buffer(LABEL_STD, torch.zeros_like(stored, device="cpu"))
