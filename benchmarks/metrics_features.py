"""Features a second of the extractors that can run here: python -m benchmarks.metrics_features [--faces FOLDER]

Each measurement is a process of its own, so that its peak memory is its own. Inception, DINOv2 and ArcFace get random
weights: their speed does not depend on them. With --faces (a folder that holds ffhq256/ and sfhq256/) it also prints
what each size of the offline extractor tells apart.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SIDE, BATCH, REPEATS = 256, 32, 3
# extractor -> the network whose random weights it gets; None: the weights of a package
CASES = {
    "efficientnet_lite0": None,
    "efficientnet_lite0@128": None,
    "efficientnet_lite0@96": None,
    "inception": "inception",
    "inception_clean": "inception",
    "dinov2@vitb14": "vitb14",
    "arcface": "r50",
    "dlib": None,
}
SLOW = {"inception": 8, "inception_clean": 8, "dinov2@vitb14": 4, "arcface": 8, "dlib": 8}  # pictures of a CPU's batch


def network(kind: str) -> nn.Module:
    """The network that a file of random weights is for, without numbers."""
    from facegen.networks.inception import Inception
    from facegen.networks.iresnet import IResNet

    with torch.device("meta"):
        if kind == "vitb14":
            import timm

            return timm.create_model("vit_base_patch14_dinov2", num_classes=0, img_size=224)
        return Inception() if kind == "inception" else IResNet(kind)


def random_weights(kind: str, path: Path) -> Path:
    """Small weights, and ones for norms: activations stay finite."""
    values: dict[str, Tensor] = {}
    for key, value in network(kind).state_dict().items():
        values[key] = 0.02 * torch.randn(value.shape) if value.ndim > 1 else torch.ones(value.shape, dtype=value.dtype)
    torch.save(values, path)
    return path


def measure(name: str, device: str, threads: int) -> dict[str, Any]:
    """Best of some repeats, after a warm-up."""
    from facegen.metrics.extractors import load_extractor

    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        kind = CASES[name]
        weights = random_weights(kind, Path(folder) / "weights.pth") if kind else None
        extractor = load_extractor(name, weights).to(device)
    count = SLOW.get(name, BATCH) if device == "cpu" else 4 * BATCH
    images = torch.randint(0, 256, (count, 3, SIDE, SIDE), dtype=torch.uint8, device=device)
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        float(extractor(images).sum())  # waits for the device
        seconds.append(time.perf_counter() - start)
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    memory = host if device == "cpu" else torch.cuda.max_memory_allocated() / 2**30
    return {"rate": count / min(seconds[1:]), "gigabytes": memory}


def apart(name: str, faces: Path, count: int = 264) -> list[str]:
    """Fréchet distance / 1000 x kernel distance from `count` FFHQ faces to other sets of faces."""
    import numpy as np
    from PIL import Image, ImageFilter

    from facegen.metrics import frechet_distance, kernel_distance
    from facegen.metrics.extractors import load_extractor

    ffhq, sfhq = (sorted((faces / folder).glob("*.jpg")) for folder in ("ffhq256", "sfhq256"))
    pictures = [Image.open(path).convert("RGB") for path in (*ffhq[: 2 * count], *sfhq[:count])]
    real, held_out, other = pictures[:count], pictures[count : 2 * count], pictures[2 * count :]
    blurred = [picture.filter(ImageFilter.GaussianBlur(2)) for picture in held_out]
    noise = np.random.default_rng(0).normal(0, 20, (count, SIDE, SIDE, 3))
    noisy = [np.clip(np.rint(np.array(p) + n), 0, 255).astype(np.uint8) for p, n in zip(held_out, noise, strict=True)]
    extractor = load_extractor(name)

    def features(images: list[Any]) -> Tensor:
        pixels = torch.from_numpy(np.stack([np.array(image) for image in images])).permute(0, 3, 1, 2)
        return torch.cat([extractor(part) for part in pixels.split(BATCH)]).double()

    reference = features(real)
    cells = []
    for images in (held_out, other, blurred, noisy):
        x = features(images)
        frechet = frechet_distance(reference.mean(dim=0), reference.T.cov(), x.mean(dim=0), x.T.cov())
        kernel = kernel_distance(reference, x)
        cells.append(f"{frechet:.1f} / {1000 * kernel.value:.2f} ± {1000 * kernel.standard_error:.2f}")
    return cells


def line(cells: list[str]) -> None:
    """A row of a Markdown table, as soon as it is known."""
    print("| " + " | ".join(cells) + " |", flush=True)


def head(cells: list[str]) -> None:
    """The first rows of a Markdown table."""
    line(cells)
    line(["---"] * len(cells))


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", nargs=3, metavar=("NAME", "DEVICE", "THREADS"), help=argparse.SUPPRESS)
    parser.add_argument("--faces", type=Path, help="folder with ffhq256/ and sfhq256/")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    if options.one:
        name, device, threads = options.one
        print(json.dumps(measure(name, device, int(threads))))
        return
    settings = [("cpu", threads) for threads in options.threads] + [("cuda", 1)] * torch.cuda.is_available()
    heads = [
        f"{threads} thread{'s' * (threads > 1)}" if d == "cpu" else torch.cuda.get_device_name()
        for d, threads in settings
    ]
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}; pictures of {SIDE} pixels\n")
    head(["extractor", *heads])
    for name in CASES:
        line([name, *(in_a_process(name, device, threads) for device, threads in settings)])
    if options.faces:
        print()
        head(["Fréchet / 1000 x kernel", "held-out FFHQ", "SFHQ", "blurred (2 px)", "noisy (20/255)"])
        for name in (name for name in CASES if name.startswith("efficientnet")):
            line([name, *apart(name, options.faces)])


def in_a_process(name: str, device: str, threads: int) -> str:
    """`measure` elsewhere, as a cell."""
    command = [sys.executable, "-m", "benchmarks.metrics_features", "--one", name, device, str(threads)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        return f"failed: {(ended.stderr.strip().splitlines() or ['no words'])[-1]}"
    found = json.loads(ended.stdout.splitlines()[-1])
    return f"{found['rate']:.1f}/s, {found['gigabytes']:.2f} GB"


if __name__ == "__main__":
    main()
