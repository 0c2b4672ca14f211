"""Try wrong inputs on the real command line and write what each printed to docs/bad_input.md.

`python benchmarks/bad_input.py` makes the inputs in a temporary folder, runs `facegen` there once per case, checks that
every answer is one line with exit status 2 and without a traceback, and writes the table. `tests/cli/test_bad_input.py`
runs the same cases.
"""

import json
import pickle
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import typed_cases
from benchmarks.typed_cases import Answer, Row

SIZE = 64
# A disk of its own, where the system lets one be mounted for one process: 1 MB, and read-only after `made` has run.
MOUNT = "mount -t tmpfs -o size=1m none {folder} && {made} && exec {command}"


class Case(NamedTuple):
    """A wrong input: what is wrong, the words after `facegen`, and words that the answer must hold."""

    wrong: str
    words: str
    answer: str
    mount: str = ""  # shell commands to run on a disk of 1 MB that is mounted at `disk`, before the program


def cases() -> list[Case]:
    """All cases, for the working directory that `prepare` filled."""
    return [
        Case("a folder that does not exist", "train data=folder data.root=nowhere", "does not exist"),
        Case("an empty folder", "train data=folder data.root=empty", "no images"),
        Case("a folder of other files", "train data=folder data.root=texts", "no images"),
        Case("one truncated PNG", "train data=folder data.root=truncated", "bad.png"),
        Case("a text file named .png", "train data=folder data.root=text_as_png", "bad.png"),
        Case("an image of 0 bytes", "train data=folder data.root=zero_bytes", "bad.png"),
        Case("a 16-bit PNG", "train data=folder data.root=sixteen_bit", "bad.png"),
        Case("a CMYK JPEG", "train data=folder data.root=cmyk", "bad.jpg"),
        Case("a grey PNG", "train data=folder data.root=grey", "bad.png"),
        Case("a PNG with alpha", "train data=folder data.root=alpha", "bad.png"),
        Case("images smaller than the network's", "train data=folder data.root=mixed", "bad.png"),
        Case("an image that is not square", "train data=folder data.root=oblong", "bad.png"),
        Case("labels asked for, but there are none", "train data=folder data.root=faces data.labels=true", "no labels"),
        Case("labels for other files", "train data=folder data.root=other_labels data.labels=true", "label"),
        Case("NaN in a label", "train data=folder data.root=nan_labels data.labels=true", "label"),
        Case(
            "a dataset.json that is no JSON", "train data=folder data.root=broken_json data.labels=true", "dataset.json"
        ),
        Case("a zip with ../ in a name", "train data=zip data.root=dotdot.zip", ".."),
        Case("a compressed zip", "train data=zip data.root=compressed.zip", "compress"),
        Case("a zip that is none", "train data=zip data.root=broken.zip", "zip"),
        Case("validation of a broken folder", "data validate root=nowhere", "does not exist"),
        Case("an unknown setting", "train data=folder data.root=faces model.gama=1", "did you mean"),
        Case("a setting with dashes", "train --data.root=faces", "no dashes"),
        Case("a word without a value", "train resume", "KEY=VALUE"),
        Case("text for a number", "train data=folder data.root=faces model.learning_rate=fast", "expected a number"),
        Case("an unknown choice", "train data=foldr", "did you mean folder?"),
        Case("an unknown command", "trian", "did you mean train?"),
        Case("a needed setting left out", "generate seeds=0-7", "checkpoint is missing"),
        Case("a resolution that is no power of two", "train data=folder data.root=faces resolution=48", "48"),
        Case("a batch of nothing", "train data=folder data.root=faces batch_size=0", "batch_size"),
        Case("a precision that does not exist", "train data=folder data.root=faces precision=8", "precision"),
        Case("a GPU where there is none", "train data=folder data.root=faces device=gpu", ""),
        Case("the name of a run that exists", "train data=folder data.root=faces name=mine", "resume=auto"),
        Case("resuming what does not exist", "train data=folder data.root=faces resume=none.ckpt", "resume"),
        Case(
            "resuming another configuration",
            "train data=folder data.root=faces name=mine resume=auto batch_size=8 model.r1_gamma=3",
            "finetune_from",
        ),
        Case(
            "fine-tuning from another architecture",
            "train data=folder data.root=faces finetune_from=runs/mine resolution=32",
            "does not fit",
        ),
        Case("a checkpoint that does not exist", "generate checkpoint=runs/none", "does not exist"),
        Case("a folder that is no checkpoint", "generate checkpoint=faces", "expected"),
        Case("a damaged checkpoint", "generate checkpoint=damaged.ckpt", "damaged.ckpt"),
        Case("damaged weights", "generate checkpoint=damaged_export", "damaged_export"),
        Case("a pickle that runs a program", "generate checkpoint=malicious.pkl", "malicious.pkl"),
        Case("a pickle that is none", "import checkpoint=text.pkl out=imported", "text.pkl"),
        Case("malformed seeds", "generate checkpoint=runs/mine seeds=0..7", "seeds"),
        Case("a label for a generator without labels", "generate checkpoint=runs/mine labels=3", "no labels"),
        Case("a malformed grid", "generate checkpoint=runs/mine grid=4", "COLUMNSxROWS"),
        Case("an output path under a file", "generate checkpoint=runs/mine outdir=text.pkl/x", "text.pkl"),
        Case("a metric that does not exist", "evaluate checkpoint=runs/mine metrics=[kidd]", "did you mean kid?"),
        Case("views of a generator of images", "evaluate checkpoint=runs/mine metrics=[fid3d]", "3D generator"),
        Case("one generated image", "evaluate checkpoint=runs/mine num_images=1", "num_images"),
        Case("an extractor that does not exist", "evaluate checkpoint=runs/mine extractor=resnet", "efficientnet"),
        Case("two recipes that are one", "evaluate checkpoint=runs/mine against=folder against.root=faces", "same"),
        Case("nothing to fit", "fit", "expected images=PICTURE, folder or zip, or data=RECIPE"),
        Case("a photograph that does not exist", "fit nowhere.jpg", "images: nowhere.jpg does not exist"),
        Case("a photograph that is none", "fit text.pkl", "is no picture"),
        Case("a folder without photographs", "fit texts", "no photographs"),
        Case("a morphable model that does not exist", "fit faces morphable=bfm.mat", "bfm.mat does not exist"),
        Case("a file that is no morphable model", "fit faces morphable=text.pkl", "text.pkl"),
        Case("a mesh format that does not exist", "fit faces mesh=stl", "mesh: got 'stl'"),
        Case("a texture for no mesh", "fit faces uv=photo", "expected mesh=obj or glb"),
        Case("landmarks without noise", "fit faces noise=0", "noise: got 0"),
        Case("columns for no table", "fit faces index=true", "index=true needs a table"),
        Case("a start that does not exist", "fit faces start=none", "start: none does not exist"),
        *_of_diffusion(),
        *_of_curation(),
        Case(
            "a read-only run folder",
            "train data=folder data.root=faces runs_dir=disk",
            "read-only",
            "mount -o remount,ro disk",
        ),
        Case(
            "a disk that is full when training saves",
            "train data=folder data.root=faces runs_dir=disk total_kimg=0.008 batch_size=4 grid=2x2 workers=0",
            "no space left",
            "true",
        ),
        Case(
            "a full disk",
            "export checkpoint=runs/mine out=disk/export",
            "no space left",
            "(head -c 1000000 /dev/zero > disk/filler; true)",
        ),
    ]


def _of_curation() -> list[Case]:
    repair = "data repair root=faces out=fixed"
    return [
        Case("a column that nothing makes", "data describe root=faces columns=[beauty]", "expected some of: captions"),
        Case("a cosine above 1", "data describe root=faces columns=[duplicates] threshold=2", "a cosine below 1"),
        Case("a parser that is a text", "data describe root=faces columns=[parsing] parser=texts/notes.txt", "parser:"),
        Case(
            "an unknown feature network", "data describe root=faces columns=[embedding] embedder=vgg", "expected one of"
        ),
        Case("a limit of no flag", "data describe root=faces columns=[flags] flags.ugly=1", "flags.ugly"),
        Case("a search for nothing", "data search root=faces", "nothing to look for"),
        Case(
            "a condition on faces without a table", 'data search root=faces where="quality > 0.5"', "facegen data index"
        ),
        Case("an example that is no picture", "data search root=faces image=texts/notes.txt", "notes.txt"),
        Case("taste of faces without a table", "data taste root=faces", "facegen data index"),
        Case("a repair by no generator", f"{repair} checkpoint=none", "checkpoint: none does not exist"),
        Case("a page of nothing", "explore", "nothing to look at"),
        Case("a page of a folder that does not exist", "explore nowhere", "nowhere does not exist"),
        Case("a page of a folder of other files", "explore texts", "holds no images"),
        Case("a port that no machine has", "explore faces port=99999", "choose another port"),
    ]


def _of_diffusion() -> list[Case]:
    """Wrong inputs of latent diffusion."""
    train = "train model=latent_diffusion_tiny data=folder data.root=posed resolution=16 model.first_stage="
    camera = "model.conditions={camera: {kind: numbers, size: "
    return [
        Case("a first stage that is none", f"{train}runs/mine", "expected an autoencoder"),
        Case("pictures of another size than latents", f"{train}stage resolution=32", "resolution: got 32 pixels"),
        Case(
            "latents that cannot be halved so often",
            f"{train}stage model.denoiser.channels=[32,32,32,32,32] "
            "model.denoiser.attention=[false,false,false,false,false]",
            "latents: got (1, 3, 8, 8)",
        ),
        Case("a condition that faces do not have", f"{train}stage '{camera}25}}}}'", "add data.labels=true"),
        Case(
            "a condition of another size",
            f"{train}stage data.labels=true '{camera}24}}}}'",
            "got labels of 25 numbers, expected 24",
        ),
        Case(
            "captions that are missing",
            f"{train}stage 'model.conditions={{caption: {{kind: text, form: tokens}}}}'",
            "come without captions",
        ),
        Case(
            "weights for latents of another autoencoder",
            f"{train}stage2 finetune_from=ldm",
            "another autoencoder",
        ),
        Case("no steps", "generate checkpoint=ldm steps=0", "steps: got 0"),
        Case("a sampler that does not exist", "generate checkpoint=ldm sampler=euler", "flow_euler"),
        Case("guidance that is no number", "generate checkpoint=ldm guidance=nan", "guidance: got nan"),
        Case("guidance by nothing", "generate checkpoint=ldm guidance=3", "no conditions to be guided by"),
        Case("truncation of a diffusion model", "generate checkpoint=ldm truncation=0.7", "truncation: got 0.7"),
        Case("a prompt for a model without texts", "generate checkpoint=ldm prompt=smiling", "this model takes none"),
        Case("poses of a model that is told none", "generate checkpoint=ldm poses=grid", "told no pose"),
        Case(
            "coefficients of another model",
            "generate checkpoint=controlled coefficients=four.npy",
            "has 4 numbers per face",
        ),
        Case("an empty folder of hints", "generate checkpoint=controlled hint=empty", "holds no pictures"),
        Case("a hint that is not square", "generate checkpoint=controlled hint=oblong/bad.png", "expected a square"),
        Case("a hint for no control", "generate checkpoint=ldm hint=faces", "not trained as a ControlNet"),
        Case("the latents of a photograph", "invert checkpoint=ldm images=faces/0.png", "which has no w"),
        Case("path lengths without w", "evaluate checkpoint=ldm metrics=[ppl]", "path length in w"),
        Case("a sampler for StyleGAN2", "evaluate checkpoint=runs/mine steps=5", "has no sampler"),
    ]


def prepare(folder: Path, facegen: Callable[[list[str]], int]) -> None:
    """Make every input below `folder`, and a run of a few steps with `facegen`."""
    random = np.random.default_rng(0)
    good = [_picture(random) for _ in range(4)]
    bad: dict[str, tuple[str, bytes]] = {
        "truncated": ("bad.png", _encoded(good[0], "PNG")[:1500]),
        "text_as_png": ("bad.png", b"this is a text"),
        "zero_bytes": ("bad.png", b""),
        "sixteen_bit": (
            "bad.png",
            _encoded(Image.fromarray(random.integers(0, 65536, (SIZE, SIZE), np.uint16)), "PNG"),
        ),
        "cmyk": ("bad.jpg", _encoded(good[0].convert("CMYK"), "JPEG")),
        "grey": ("bad.png", _encoded(good[0].convert("L"), "PNG")),
        "alpha": ("bad.png", _encoded(good[0].convert("RGBA"), "PNG")),
        "mixed": ("bad.png", _encoded(good[0].resize((32, 32)), "PNG")),
        "oblong": ("bad.png", _encoded(good[0].resize((SIZE, 80)), "PNG")),
    }
    for name in ("faces", "other_labels", "nan_labels", "broken_json", *bad):
        (folder / name).mkdir()
        for index, picture in enumerate(good):
            picture.save(folder / name / f"{index}.png")
    for name, (file, data) in bad.items():
        (folder / name / file).write_bytes(data)
    _labels(folder)
    _archives(folder, good)
    for name in ("empty", "texts", "disk"):
        (folder / name).mkdir()
    (folder / "texts" / "notes.txt").write_text("no picture")
    (folder / "text.pkl").write_text("this is a text")
    (folder / "malicious.pkl").write_bytes(pickle.dumps(_Malicious()))
    small = "train data=folder data.root=faces name=mine total_kimg=0.008 tick_kimg=0.008 batch_size=4 grid=2x2"
    if facegen([*small.split(), "workers=0"]) != 0:
        raise RuntimeError("the run that the other cases need did not train")
    _diffusion_models(folder, good)
    facegen(["export", "checkpoint=runs/mine", "out=damaged_export"])
    weights = folder / "damaged_export" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    newest = max((folder / "runs" / "mine" / "checkpoints").glob("*.ckpt"))
    (folder / "damaged.ckpt").write_bytes(newest.read_bytes()[:5000])


def _diffusion_models(folder: Path, pictures: list[Image.Image]) -> None:
    """Two first stages, models with and without a control, faces with cameras."""
    import torch

    from facegen.checkpoint import network_config, save_network
    from facegen.geometry import cameras
    from facegen.networks.diffusion import ControlBranch, FirstStage, LatentGenerator, UNet

    torch.manual_seed(0)
    for name, scale in (("stage", 1.0), ("stage2", 2.0)):
        small: dict[str, Any] = {"blocks": 1, "norm_groups": 4, "mid_attention": False, "scaling_factor": scale}
        save_network(FirstStage("kl", 16, 3, (8, 8), **small), folder / name)
    shape: dict[str, Any] = {"channels": (16, 16), "blocks": 1, "head_channels": 8, "norm_groups": 4}
    unet = UNet(3, size=8, attention=(False, True), **shape)
    stage, branch = FirstStage("kl", 16, 3, (8, 8), **small), ControlBranch(unet.init_kwargs, hint_widths=(8, 8))
    for name, controls in (("ldm", None), ("controlled", {"normals": network_config(branch)})):
        parts = (network_config(stage), network_config(unet))
        save_network(LatentGenerator(*parts, controls=controls), folder / name)
    (folder / "posed").mkdir()
    label = cameras.label(cameras.look_at(torch.full([1], 1.57), torch.full([1], 1.57)), cameras.pinhole_intrinsics())
    for index, picture in enumerate(pictures):
        picture.save(folder / "posed" / f"{index}.png")
    labels = [[f"{index}.png", label[0].tolist()] for index in range(len(pictures))]
    (folder / "posed" / "dataset.json").write_text(json.dumps({"labels": labels}))
    np.save(folder / "four.npy", np.zeros((1, 4), np.float32))


class _Malicious:
    """Would create pwned.txt if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("pwned.txt", "w")


def _picture(random: np.random.Generator) -> Image.Image:
    small = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
    return small.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def _encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def _labels(folder: Path) -> None:
    camera = [1.0] * 25
    names = [f"{index}.png" for index in range(4)]
    tables = {
        "other_labels": [[f"other{name}", camera] for name in names],
        "nan_labels": [[name, [float("nan"), *camera[1:]]] for name in names],
    }
    for name, labels in tables.items():
        (folder / name / "dataset.json").write_text(json.dumps({"labels": labels}))
    (folder / "broken_json" / "dataset.json").write_text('{"labels": [')


def _archives(folder: Path, pictures: list[Image.Image]) -> None:
    contents = {
        "dotdot.zip": ("../{}.png", zipfile.ZIP_STORED),
        "compressed.zip": ("{}.png", zipfile.ZIP_DEFLATED),
    }
    for archive, (name, method) in contents.items():
        with zipfile.ZipFile(folder / archive, "w", method) as file:
            for index, picture in enumerate(pictures):
                file.writestr(name.format(index), _encoded(picture, "PNG"))
    (folder / "broken.zip").write_bytes(b"PK\x03\x04 and then nothing")


def can_mount() -> bool:
    """Whether this process may mount a disk for a child of its own (Linux, root or user namespaces)."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        script = MOUNT.format(folder=shlex.quote(folder), made="true", command="true")
        return subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True).returncode == 0


def typed(case: Case, folder: Path) -> Answer:
    """Run a case as a user would, in a process of its own."""
    command = typed_cases.facegen_command(shlex.split(case.words))
    if case.mount:
        script = MOUNT.format(folder="disk", made=case.mount, command=shlex.join(command))
        command = ["unshare", "-rm", "sh", "-c", script]
    return typed_cases.typed(command, folder)


def main() -> int:
    out = typed_cases.out_argument(__doc__ or "", "bad_input.md")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        prepare(folder, lambda words: typed_cases.typed(typed_cases.facegen_command(words), folder).status)
        for case in cases():
            if case.mount and not can_mount():
                print(f"skipped, no disk can be mounted here: {case.wrong}")
                continue
            answer = typed(case, folder)
            line = typed_cases.last_line(answer.err).replace(f"{folder}/", "")
            rows.append(Row(case.wrong, case.words, line, typed_cases.fault_of_refusal(answer, case.answer)))
            typed_cases.report(rows[-1])
        executed = (folder / "pwned.txt").exists()
    if executed:
        print("FAULT: the pickle was executed")
    return typed_cases.write_page(out, HEAD, rows, sum(bool(row.fault) for row in rows) + executed)


HEAD = """\
# Wrong input, and what is printed

{count} mistakes, each typed on the command line; all of them end with exit status 2 and without a traceback. Made by
`python benchmarks/bad_input.py`; the tests run the same cases (`tests/cli/test_bad_input.py`).

| what is wrong | typed | printed |
|---|---|---|
"""

if __name__ == "__main__":
    sys.exit(main())
