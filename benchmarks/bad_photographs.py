"""Damaged FFHQ, FFHQ-EG3D, CelebA-HQ and LPFF, and what must be printed."""

from typing import Any
from zipfile import ZIP_DEFLATED

from benchmarks import damage
from benchmarks.dataset_case import Case, kinds, train
from tests.data.samples.lpff import face_ids

FACE = face_ids(2)[1]
METADATA, CAMERAS, LABELS = "ffhq-dataset-v2.json", "camera_parameters.json", "dataset.json"


def cases() -> list[Case]:
    """All of them."""
    return [*ffhq(), *ffhq_eg3d(), *celebahq(), *lpff()]


def ffhq() -> list[Case]:
    """FFHQ."""
    index, check, refuse = kinds("ffhq")
    image, mat = "images1024x1024/31000/31007.png", "coeff/31007.mat"

    def landmarks(content: Any) -> None:
        content["999"]["image"]["face_landmarks"] = [[1, 2]] * 5

    return [
        index("half of the metadata", damage.half(METADATA), METADATA, "not a JSON file"),
        index(
            "metadata of other images", damage.keys_renamed(METADATA, lambda key: f"{int(key) + 5}"), METADATA,
            "none of its 10 entries",
        ),
        index("metadata of 0 bytes", damage.content(METADATA), METADATA, "empty"),
        index("metadata nested a million deep", damage.nested(METADATA), METADATA, "JSON"),
        index("a folder in the place of the metadata", damage.folder_instead(METADATA), METADATA, "folder"),
        index("a pipe in the place of the metadata", damage.pipe_instead(METADATA), METADATA, "file"),
        index("five landmarks instead of 68", damage.edited(METADATA, landmarks), "00999", METADATA, "68"),
        index(
            "entries mixed up", damage.edited(METADATA, lambda c: c.update({"999": c["1000"]})), "00999", "01000.png",
            METADATA,
        ),
        index("half of a .mat file", damage.half(mat), mat, "MATLAB"),
        index("a .mat file of 0 bytes", damage.content(mat), mat, "empty"),
        index("a pipe in the place of a .mat file", damage.pipe_instead(mat), mat),
        index("a missing render", damage.gone("rendered/00000.png"), "rendered/00000.png", "https://"),
        check("half of an image", damage.half(image), "31000/31007.png", "download"),
        index(
            "a link to the folder it is in: each folder is read once", damage.loop("images1024x1024/loop"),
            "10 images of 70000",
        ),
        refuse("an image of 0 bytes, trained on", damage.content(image), image, words=train("ffhq", "ffhq")),
        refuse(
            "a pipe in the place of an image, trained on", damage.pipe_instead(image), image,
            words=train("ffhq", "ffhq"),
        ),
        refuse("half of an image, trained on", damage.half(image), image, words=train("ffhq", "ffhq")),
    ]  # fmt: skip


def ffhq_eg3d() -> list[Case]:
    """FFHQ as EG3D crops it."""
    index, _, refuse = kinds("ffhq_eg3d")
    nan = damage.edited(LABELS, lambda c: c["labels"][2][1].__setitem__(3, float("nan")))

    def rename(content: Any) -> None:
        for entry in content["labels"]:
            entry[0] = f"x/{entry[0]}"

    training = train("ffhq_eg3d", "ffhq_eg3d", "", "data.labels=true")
    zip_training = train("ffhq_eg3d", "ffhq_eg3d", "FFHQ_512.zip", "data.labels=true")
    return [
        index("no cameras", damage.gone(LABELS), LABELS, "https://"),
        index("half of the cameras' file", damage.half(LABELS), LABELS, "not a JSON file"),
        index("cameras of another release", damage.edited(LABELS, rename), LABELS, "there is no such image"),
        index("a camera that is not a number", nan, "img00000002.png", LABELS, "NaN"),
        index(
            "an image without camera", damage.edited(LABELS, lambda c: c["labels"].pop(3)), "img00000003.png", LABELS,
        ),
        index("cameras nested a million deep", damage.nested(LABELS), LABELS, "JSON"),
        index("cameras of 0 bytes", damage.content(LABELS), LABELS, "empty", layout="ffhq_eg3d"),
        refuse("a folder in the place of the cameras", damage.folder_instead(LABELS), LABELS, "folder"),
        refuse("a pipe in the place of the cameras", damage.pipe_instead(LABELS), LABELS, "pipe"),
        refuse("half of the cameras' file, trained on", damage.half(LABELS), LABELS, words=training),
        refuse("no cameras, trained on", damage.gone(LABELS), LABELS, words=training),
        refuse("a camera that is not a number, trained on", nan, "img00000002.png", words=training),
        refuse("half of the zip", damage.half("../FFHQ_512.zip"), "FFHQ_512.zip", words="data index root=FFHQ_512.zip"),
        refuse("half of the zip, trained on", damage.half("../FFHQ_512.zip"), "FFHQ_512.zip", words=zip_training),
        refuse("a zip of 0 bytes", damage.content("../FFHQ_512.zip"), "FFHQ_512.zip", words=zip_training),
        refuse(
            "names with ../ in the zip", damage.zipped("../FFHQ_512.zip", _dotdot), "FFHQ_512.zip", "leads out",
            words=zip_training,
        ),
        refuse(
            "a compressed zip", damage.zipped("../FFHQ_512.zip", dict, ZIP_DEFLATED), "FFHQ_512.zip", "compressed",
            words=zip_training,
        ),
    ]  # fmt: skip


def celebahq() -> list[Case]:
    """CelebA-HQ."""
    index, check, refuse = kinds("celebahq")
    image, mat = "CelebA-HQ-img/2.jpg", "coeff/000002.mat"
    return [
        index("a missing .mat file", damage.gone(mat), "coeff/2.mat"),
        index("half of a .mat file", damage.half(mat), mat, "MATLAB"),
        index("a .mat file of another face", damage.renamed(mat, "coeff/000003.mat"), "coeff/000003.mat"),
        index("a folder in the place of a .mat file", damage.folder_instead(mat), "coeff/2.mat"),
        index("an image beyond 29999", damage.renamed(image, "CelebA-HQ-img/30000.jpg"), "30000.jpg", "celebahq"),
        index("a file that is no part of it", damage.content("images.7z"), "images.7z"),
        check("half of an image", damage.half(image), "2.jpg", "JPEG"),
        check("a text in the place of an image", damage.content(image, b"<html>quota exceeded"), "2.jpg", "<html>"),
        refuse("an image of 0 bytes, trained on", damage.content(image), image, words=train("celebahq", "celebahq")),
        refuse(
            "a folder that is another dataset's", damage.renamed("CelebA-HQ-img", "photos"), "CelebAMask-HQ",
            words=train("celebahq", "celebahq"),
        ),
    ]  # fmt: skip


def lpff() -> list[Case]:
    """LPFF, both crops."""
    index, _, refuse = kinds("lpff")
    nan = damage.edited(CAMERAS, lambda c: c[FACE].__setitem__(0, float("nan")))
    eg3d, stylegan = {"layout": "lpff_eg3d"}, {"layout": "lpff_stylegan"}
    labelled = train("lpff", "lpff", "", "data.labels=true")

    def first_dotdot(members: dict[str, bytes]) -> dict[str, bytes]:
        return {f"../{name}" if place == 0 else name: data for place, (name, data) in enumerate(members.items())}

    return [
        index("no cameras", damage.gone(CAMERAS), CAMERAS, "https://", **eg3d),
        index("half of the cameras", damage.half(CAMERAS), CAMERAS, "JSON", **eg3d),
        index(
            "cameras of another release", damage.keys_renamed(CAMERAS, lambda key: f"{key}_9"), CAMERAS,
            "none of its 6", **eg3d,
        ),
        index(
            "a camera of 16 numbers", damage.edited(CAMERAS, lambda c: c.update({FACE: c[FACE][:16]})), FACE, CAMERAS,
            "16", **eg3d,
        ),
        index("a camera that is not a number", nan, FACE, CAMERAS, "NaN", **eg3d),
        index("a pipe in the place of the cameras", damage.pipe_instead(CAMERAS), CAMERAS, **eg3d),
        index("a folder in the place of the cameras", damage.folder_instead(CAMERAS), CAMERAS, **eg3d),
        index("cameras nested a million deep", damage.nested(CAMERAS), CAMERAS, **eg3d),
        index(
            "info of another photograph", damage.edited("info.json", lambda c: c[FACE].update(raw_image_name="x")),
            FACE, "info.json", **stylegan,
        ),
        index("info of 0 bytes", damage.content("info.json"), "info.json", "empty", **stylegan),
        index(
            "names with ../ in the landmarks", damage.keys_renamed("raw_lm.json", lambda key: f"../{key}"),
            "raw_lm.json", "../", **stylegan,
        ),
        index(
            "five landmarks", damage.edited("realign2400_lm.json", lambda c: c.update({FACE: c[FACE][:5]})), FACE,
            "realign2400_lm.json", "68", **stylegan,
        ),
        refuse(
            "half of the eg3d crops, trained on", damage.half("crop/eg3d.zip"), "crop/eg3d.zip",
            words=train("lpff", "lpff"),
        ),
        refuse(
            "stylegan crops of 0 bytes, trained on", damage.content("crop/stylegan.zip"), "crop/stylegan.zip",
            words=train("lpff_stylegan", "lpff"),
        ),
        refuse(
            "a name with ../ in a zip", damage.zipped("crop/eg3d.zip", first_dotdot), "crop/eg3d.zip", "leads out",
            words=train("lpff", "lpff"),
        ),
        refuse(
            "a compressed zip", damage.zipped("crop/eg3d.zip", dict, ZIP_DEFLATED), "crop/eg3d.zip",
            words=train("lpff", "lpff"),
        ),
        refuse(
            "a pipe in the place of a zip", damage.pipe_instead("crop/eg3d.zip"), "crop/eg3d.zip",
            words=train("lpff", "lpff"),
        ),
        refuse("no cameras, trained on with labels", damage.gone(CAMERAS), CAMERAS, words=labelled),
        refuse("a camera that is not a number, trained on with labels", nan, FACE, CAMERAS, words=labelled),
        refuse("two datasets in one folder, none named", lambda home: None, "LPFF-dataset", "layout=lpff_eg3d"),
    ]  # fmt: skip


def _dotdot(members: dict[str, bytes]) -> dict[str, bytes]:
    return {f"../{name}": data for name, data in members.items()}
