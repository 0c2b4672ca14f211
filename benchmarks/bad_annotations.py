"""Damaged SFHQ, FFHQ-UV and Multi-Modal-CelebA-HQ, and what must be printed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import damage
from benchmarks.damage import Act
from benchmarks.dataset_case import Case, kinds, train
from tests.data.samples.mm_celebahq import captions_of

META = "meta-info.json"
SFHQ_FACE = "SFHQ_pt1_00000001"
FEATURES = np.ones((1, 768), np.float32)


def cases() -> list[Case]:
    """All of them."""
    return [*sfhq(), *ffhq_uv(), *mm_celebahq()]


def sfhq() -> list[Case]:
    """A part of SFHQ."""
    index, check, refuse = kinds("sfhq")
    points, features = f"landmarks/{SFHQ_FACE}.npz", f"pretrained_features/{SFHQ_FACE}.pickle"
    segmentation, image = f"segmentations/{SFHQ_FACE}.png", f"images/{SFHQ_FACE}.jpg"
    objects = np.array([damage.Hostile()] * 2)
    return [
        index("missing landmarks", damage.gone(points), points.removesuffix(".npz"), "https://"),
        index("half of a file of landmarks", damage.half(points), points, "damaged .npz"),
        index("landmarks of 0 bytes", damage.content(points), points, "empty"),
        index("68 landmarks", damage.arrays(points, landmarks=np.full((68, 2), 500.0)), points, "(110, 2)"),
        index("landmarks at 256 pixels", damage.arrays(points, landmarks=np.full((110, 2), 200.0)), points, "1024"),
        index("landmarks as Python objects", damage.arrays(points, landmarks=objects), points, "Object arrays"),
        index("features that run a program", damage.pickled(features, damage.Hostile()), features, "system"),
        index(
            "features of another model", damage.pickled(features, {"CLIP_ViTB_32": FEATURES}), features,
            "CLIP_ViTL_14@336",
        ),
        index("features of 0 bytes", damage.content(features), features, "empty"),
        index("a pipe in the place of features", damage.pipe_instead(features), features),
        index("a folder in the place of landmarks", damage.folder_instead(points), points),
        index("a missing folder of segmentations", damage.renamed("segmentations", "../elsewhere"), "segmentations"),
        check("a segmentation in colours", damage.mask(segmentation, "colours"), segmentation, "colours"),
        check("a segmentation of 0 bytes", damage.content(segmentation), segmentation, "empty"),
        check("a pipe in the place of a segmentation", damage.pipe_instead(segmentation), segmentation),
        refuse("half of an image, trained on", damage.half(image), image, words=train("sfhq_part1", "sfhq", ".")),
        refuse(
            "a part that is not there, trained on", lambda home: None, "SFHQ_part2", "https://",
            words=train("sfhq", "sfhq", "."),
        ),
    ]  # fmt: skip


def ffhq_uv() -> list[Case]:
    """FFHQ-UV and its project's files."""
    index, _, refuse = kinds("ffhq_uv")
    lights, attributes = "../../dataset_project/lights.zip", "../../dataset_project/attributes.zip"
    deep = b"[" * 30000 + b"]" * 30000

    def entry(**changes: Any) -> Act:
        return damage.edited(META, lambda c: c["000001"].update(changes))

    def replaced(name: str, data: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
        return lambda members: {**members, name: data}

    return [
        index("no meta-info.json", damage.gone(META), META, "https://"),
        index("half of meta-info.json", damage.half(META), META, "JSON"),
        index("meta-info.json of 0 bytes", damage.content(META), META, "empty"),
        index(
            "meta-info.json of another release", damage.keys_renamed(META, lambda key: f"{int(key) + 50:06d}"), META,
            "none of its 6",
        ),
        index(
            "names with ../ in meta-info.json", damage.keys_renamed(META, lambda key: f"../../{key}"), META,
            "../../000000",
        ),
        index("gender in words", entry(Gender="male"), META, "000001", "Gender (0 or 1)"),
        index("an index beyond FFHQ's", entry(**{"Index-in-FFHQ": 70000}), META, "000001", "70000"),
        index("a pipe in the place of meta-info.json", damage.pipe_instead(META), META),
        index(
            "a missing latent code", damage.gone("face-latents/000/000001/000001_front_latent.pt"),
            "000001_front_latent.pt", "https://",
        ),
        index("a link to its own folder among the latent codes", damage.loop("face-latents/loop"), "6 images of 54165"),
        index("half of lights.zip", damage.half(lights), "lights.zip", "zip"),
        index("lights.zip of 0 bytes", damage.content(lights), "lights.zip"),
        index("a pipe in the place of lights.zip", damage.pipe_instead(lights), "lights.zip"),
        index(
            "light as Python objects",
            damage.zipped(lights, replaced("lights/11787.npy", damage.npy(np.array([damage.Hostile()])))),
            "lights/11787.npy", "Object arrays",
        ),
        index(
            "attributes nested 30,000 deep", damage.zipped(attributes, replaced("attributes/11787.json", deep)),
            "attributes/11787.json",
        ),
        index(
            "attributes in words", damage.zipped(attributes, replaced("attributes/11787.json", b'{"Age": "old"}')),
            "attributes/11787.json", "numbers",
        ),
        refuse(
            "half of a map, trained on", damage.half("uv-maps/000003.png"), "uv-maps/000003.png",
            words=train("ffhq_uv", "ffhq_uv"),
        ),
        refuse("no maps, trained on", damage.renamed("uv-maps", "maps"), "ffhq-uv", words=train("ffhq_uv", "ffhq_uv")),
    ]  # fmt: skip


def mm_celebahq() -> list[Case]:
    """Multi-Modal-CelebA-HQ."""
    index, check, refuse = kinds("mm_celebahq")
    captions, names = "text/2.txt", "train/filenames.pickle"
    nine = "\n".join(captions_of(2)[:9]).encode()
    training = train("mm_celebahq", "mm_celebahq")
    return [
        check("nine captions", damage.content(captions, nine), captions, "9 captions, expected 10"),
        check("a mask in colours", damage.mask("label/2.png", "colours"), "label/2.png", "colours"),
        check("a mask of grey levels", damage.mask("label/2.png", "grey"), "label/2.png", "180"),
        check("the mask of one part", damage.mask("label/2.png", "part"), "label/2.png", "one part"),
        check("half of a mask", damage.half("label/2.png"), "label/2.png"),
        index("captions of 0 bytes", damage.content(captions), captions, "empty"),
        index("captions that are no text", damage.content(captions, b"a\xff\xfe"), captions, "UTF-8"),
        index("a pipe in the place of captions", damage.pipe_instead(captions), captions),
        index("no list of training images", damage.gone(names), names, "https://"),
        index("a list of 0 bytes", damage.content(names), names, "empty"),
        index("a list that runs a program", damage.pickled(names, damage.Hostile()), names, "system"),
        index("names with ../ in a list", damage.pickled(names, ["../../0"]), names, "../../0"),
        index("a list of other images", damage.pickled(names, ["7", "8"]), names, "such as 7"),
        index("a pipe in the place of a list", damage.pipe_instead(names), names),
        index("half of a .mat file", damage.half("coeff/2.mat"), "coeff/2.mat", "MATLAB"),
        index("a sketch of nobody", damage.renamed("sketch/2.jpg", "sketch/77.jpg"), "sketch/77.jpg", "sketch/2"),
        refuse("half of an image, trained on", damage.half("image/2.jpg"), "image/2.jpg", words=training),
        refuse(
            "no captions and no lists, trained on",
            lambda home: [damage.renamed(name, f"../{name}")(home) for name in ("text", "train", "test")],
            "multi-modal-celeba", words=training,
        ),
    ]  # fmt: skip
