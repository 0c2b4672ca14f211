"""`facegen data repair`: new pictures for bad ones, by a generator."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from torch import Tensor

from facegen.checkpoint import weights_digest
from facegen.cli import terms
from facegen.cli.extractors import extractor_of
from facegen.data import Recipe
from facegen.data.dataset import FaceDataset
from facegen.data.pictures import save_png, tile
from facegen.importers.loading import load_generator
from facegen.losses.perceptual import perceptual_distance
from facegen.models import repair
from facegen.models.inversion.pictures import conditioning_rows
from facegen.models.repair.source import KEPT, REPORT, Entry, Plan, encode, made_before, repair_source
from facegen.networks import eg3d
from facegen.networks.diffusion import is_diffusion

CONFIG = "data_repair"
HELP = """\
Make new pictures of bad ones: damaged, of low quality, or not real (paintings, renderings).

As SFHQ was made: each picture is searched in the generator's latent space W+, pulled toward the mean of good pictures
that were searched alike (references=), and of several candidates the best to somebody's taste is kept that is still
the same person. Without taste= that is the one nearest to the mean. What is kept is a synthetic picture.

OUT has ID.png and repair.json (psi, layers, distances, taste of every candidate; why none was kept), for EG3D also
dataset.json; OUT.png shows old above new. Interrupted? The same command goes on. The source is only read.

Examples:
  facegen data repair checkpoint=runs/NAME root=~/faces where="quality < 0.3" references=~/faces
  facegen data repair checkpoint=ffhq.pkl root=paintings/ references=~/ffhq taste=~/ffhq out=~/repaired
  facegen data repair checkpoint=runs/NAME root=faces/ psi=[0.7] layers=[all] identity=null     one candidate, unjudged
  facegen data index root=repaired                                                              then use it as a source

On a CPU steps=100 shows what to expect."""

_COLUMNS = 8  # of the sheet
_SAME_PERSON = 0.6  # King's threshold for dlib's embedding


def run(cfg: DictConfig) -> None:
    """Encode the references, repair the pictures, say what came of it."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    _check(settings)
    wanted = repair.candidates(settings["psi"], settings["layers"], settings["draws"])
    out = Path(str(settings["out"])).expanduser().absolute()
    made_before(out)
    generator = load_generator(str(settings["checkpoint"]), settings["device"])
    if is_diffusion(generator):
        raise ValueError(f"checkpoint: {settings['checkpoint']} is a diffusion model, expected StyleGAN2 or EG3D")
    recipe = _recipe(settings, generator, "root", "where", ids=settings["ids"], layout=settings["layout"])
    terms.announce(recipe.terms)
    plan = _plan(settings, generator, wanted)
    encoded = _encoded(settings, generator, recipe, plan, out)
    entries = repair_source(generator, recipe, encoded, plan, out)
    sheet = save_sheet(recipe, entries, out, settings["sheet"])
    print(summary(entries, out, sheet))


def _check(settings: dict[str, Any]) -> None:
    """What no constructor checks, before anything is loaded."""
    least = {"steps": 1, "average_samples": 2, "batch_size": 1, "references_count": 2, "learning_rate": 0, "noise": 0}
    for name, value in {**least, "sheet": 0}.items():
        if settings[name] < value:
            raise ValueError(f"{name}: got {settings[name]}, expected at least {value}")
    if (limit := settings["max_distance"]) is not None and (type(limit) not in (int, float) or limit <= 0):
        raise ValueError(f"max_distance: got {limit!r}, expected a number above 0, or null")
    if (enough := settings["enough"]) is not None and not 0 <= enough <= 1:
        raise ValueError(f"enough: got {enough}, expected 0 to 1, or null")
    if settings["space"] not in ("w", "w+"):
        raise ValueError(f"space: got {settings['space']!r}, expected w or w+")


def _recipe(settings: dict[str, Any], generator: Any, root: str, where: str, **more: Any) -> Recipe:
    """Faces of a source at the size of the generator, with the cameras or labels that it wants."""
    source = {"root": settings[root], "where": settings[where], **more}
    look: dict[str, Any] = {"crop": settings["crop"], "convert": True, "upscale": True, "labels": generator.c_dim > 0}
    recipe = Recipe([source], resolution=generator.img_resolution, **look)
    if recipe.c_dim != generator.c_dim:
        raise ValueError(f"{root}: its labels have {recipe.c_dim} numbers, the generator wants {generator.c_dim}")
    return recipe


def _plan(settings: dict[str, Any], generator: Any, wanted: list[repair.Candidate]) -> Plan:
    """Search and judges. Raises ValueError where there is nobody to choose among several candidates."""
    device = next(generator.parameters()).device
    judges, named = _judges(settings, eg3d.is_3d(generator), device)
    if len(wanted) > 1 and judges.identity is None and judges.taste is None:
        got = f"got {len(wanted)} candidates and nobody to choose"
        raise ValueError(f"identity: {got}; expected taste=SOURCE, identity=NAME, or one psi with layers=[all]")
    perceptual = perceptual_distance(str(settings["perceptual"]), generator.img_resolution).to(device)
    search = repair.Search(
        weights_digest(generator),
        **{name: settings[name] for name in repair.Search._fields if name != "weights"},
    )
    sizes = {name: settings[name] for name in ("noise", "seed", "batch_size")}
    return Plan(search, perceptual, wanted, judges, named, **sizes)


def _judges(settings: dict[str, Any], is_3d: bool, device: torch.device) -> tuple[repair.Judges, dict[str, Any]]:
    """Who chooses, and the names of those who do."""
    identity, taste = _identity(settings, is_3d), None
    named = {"identity": None if identity is None else identity.protocol, "taste": None}
    if settings["taste"] is not None:
        from facegen.models.repair.tasting import learnt_taste

        learnt = learnt_taste(settings["taste"], settings["rater"], settings["taste_weights"], str(device))
        print(f"taste: {learnt.rated} ratings of {settings['taste']}")
        taste, named["taste"] = learnt.taste, learnt.name
    limit = settings["max_distance"]
    if limit is None and identity is not None and identity.name.startswith("dlib"):
        limit = _SAME_PERSON
    return repair.Judges(None if identity is None else identity.to(device), taste, limit, settings["enough"]), named


def _identity(settings: dict[str, Any], is_3d: bool) -> Any:
    """The extractor that is asked who is in a picture; `auto` may find none."""
    name, weights = settings["identity"], settings["identity_weights"]
    if name is None:
        return None
    if name != "auto":
        return extractor_of(str(name), weights)
    try:
        return extractor_of("dlib" if is_3d else "dlib@ffhq", weights)
    except ValueError as error:
        print(f"identity=auto: nobody says who is in a picture ({error})")
        return None


def _encoded(settings: dict[str, Any], generator: Any, recipe: Recipe, plan: Plan, out: Path) -> repair.Encoded:
    """The mean that is pulled to."""
    if settings["references"] is not None:
        good = _recipe(settings, generator, "references", "references_where")
        return repair.encoded_mean(encode(generator, good, plan, out / KEPT, settings["references_count"]))
    print("references=null: pulled toward the mean of the mapping network; references=GOOD_PICTURES is SFHQ's way")
    labels = torch.from_numpy(recipe.label_table.mean(axis=0, keepdims=True))
    conditioning = conditioning_rows(generator, 1, None, labels)
    return repair.mapping_mean(generator, conditioning, plan.search.average_samples, plan.search.seed)


def save_sheet(recipe: Recipe, entries: list[Entry], out: Path, count: int) -> Path | None:
    """OUT.png: rows of pictures with what was made of them below; None where there is nothing to show."""
    rows = [row for row, entry in enumerate(entries) if entry["file"]][:count]
    if not rows:
        return None
    dataset, blank = FaceDataset(recipe, cache=False), torch.zeros(3, *[recipe.resolution] * 2, dtype=torch.uint8)
    pairs = [(dataset[[row]].images[0], _read(out / entries[row]["file"])) for row in rows]
    columns = min(_COLUMNS, len(pairs))
    pairs += [(blank, blank)] * (-len(pairs) % columns)
    lines = [pairs[start : start + columns] for start in range(0, len(pairs), columns)]
    cells = [each[half] for line in lines for half in (0, 1) for each in line]
    return save_png(tile(torch.stack(cells), columns), out.with_name(f"{out.name}.png"))


def _read(path: Path) -> UInt8[Tensor, "3 height width"]:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def summary(entries: list[Entry], out: Path, sheet: Path | None) -> str:
    """How many were repaired and by what, and why the others were not."""
    kept = [entry for entry in entries if entry["file"]]
    lines = [f"{out}: {len(kept)} of {len(entries)} pictures repaired; {REPORT} says how"]
    for name in ("psi", "remoteness", "distance", "taste"):
        values = [entry[name] for entry in kept if entry[name] is not None]
        if values:
            lines.append(f"  {name:<10} {np.mean(values):.3f}  ({min(values):.3f} to {max(values):.3f})")
    if left := [entry for entry in entries if not entry["file"]]:
        lines.append(f"  {len(left)} not, the first {left[0]['id']}: {left[0]['reason']}")
    if sheet:
        lines.append(f"Look at {sheet}: the pictures, and below each what was made of it")
        lines.append(f"Use them: facegen data index root={out}")
    return "\n".join(lines)
