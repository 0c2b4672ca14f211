"""`facegen evaluate`: figures of a generator beside real images, with what it takes to compare them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.checkpoint import cache_folder, checkpoint_files, read_checkpoint
from facegen.cli import sampling
from facegen.cli.adherence import judges_of
from facegen.cli.errors import unwrap
from facegen.cli.extractors import extractor_of
from facegen.cli.recipes import recipe_of, titles
from facegen.cli.terms import announce
from facegen.data import Recipe
from facegen.evaluation import NamedRecipe, Plan, Result, evaluate
from facegen.evaluation.plan import ADHERENCE, Denoising
from facegen.evaluation.results import merge_results, write_results
from facegen.evaluation.setting import has_views
from facegen.networks.diffusion import is_diffusion
from facegen.networks.eg3d import is_3d
from facegen.reports.tables import Table, text

CONFIG = "evaluate"
HELP = """\
How far generated faces are from real ones: Fréchet distances, FID3D, precision, recall, by pose.

FID3D is the distance for cameras that a 3D generator was not told about.

Prints a table and writes a JSON line for each figure, with its protocol, counts, seed and fingerprints. Features are
kept in $FACEGEN_CACHE (~/.cache/facegen): those of real images serve all generators, and a killed evaluation goes on.

The default extractor needs no internet, and its Fréchet distances are not FID: extractor=inception is (weights=FILE or
download=true).

Examples:
  facegen evaluate checkpoint=runs/NAME                            beside the images it was trained on
  facegen evaluate checkpoint=my_generator data=folder data.root=~/photographs num_images=1000
  facegen evaluate checkpoint=ffhq.pkl data=ffhq extractor=inception num_images=50000 metrics=[fid]
  facegen evaluate checkpoint=runs/NAME data=ffhq_eg3d against=lpff metrics=[fid3d] out=fid3d.jsonl
  facegen evaluate checkpoint=runs/NAME steps=20 guidance=1.5 num_images=1000      a diffusion model
  facegen evaluate checkpoint=runs/NAME metrics=[adherence] parser=PARSER regressor=REGRESSOR"""


def run(cfg: DictConfig) -> None:
    """Evaluate, print and keep."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    checkpoint = _newest(Path(str(settings["checkpoint"])).expanduser())
    groups = _groups(settings, checkpoint)
    generator = sampling.load_generator(str(checkpoint), settings["device"])
    plan = _plan(settings, generator, bool(groups))
    recipes = _recipes(settings, groups, generator)
    announce(terms for _, recipe in recipes for terms in recipe.terms)
    extractor = extractor_of(settings["extractor"], settings["weights"], settings["download"])
    judges = _judges(plan, settings, generator.img_resolution) | _adherence(plan, settings)
    more = {"judges": judges, "say": print}
    results = evaluate(
        generator,
        plan,
        recipes,
        extractor,
        cache_folder() / "evaluation",
        _processes(str(settings["processes"])),
        **more,
    )
    made = {"path": str(checkpoint), "images_seen": _images_seen(checkpoint)}
    results = [replace(result, checkpoint=result.checkpoint | made) for result in results]
    print(text(table(results)))
    for line in remarks(results):
        print(line)
    _keep(results, settings["out"], checkpoint)


def _newest(path: Path) -> Path:
    """The newest checkpoint of a run, chosen once: a run that is training adds more."""
    files = checkpoint_files(path) if path.is_dir() else []
    return files[-1] if files else path


def _run_of(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in."""
    around = (checkpoint.parent, checkpoint.parent.parent) if checkpoint.suffix == ".ckpt" else ()
    return next((folder for folder in around if (folder / "config.yaml").is_file()), None)


def _images_seen(checkpoint: Path) -> int | None:
    return read_checkpoint(checkpoint)["facegen"].get("images_seen") if checkpoint.suffix == ".ckpt" else None


def _groups(settings: dict[str, Any], checkpoint: Path) -> dict[str, Any]:
    """Configurations of `data` and `against`; where no data was chosen, those of the run."""
    for key in ("data", "against"):
        if (name := settings["chosen"].get(key)) is not None and settings.get(key) is None:
            raise ValueError(f"{key}={name}: expected a recipe; for a folder or zip: {key}=folder {key}.root={name}")
    if settings.get("data") is None and (run_folder := _run_of(checkpoint)) is not None:
        settings["data"] = data_of_run(run_folder / "config.yaml")
    return {key: settings[key] for key in ("data", "against") if settings.get(key) is not None}


def data_of_run(path: Path) -> Any:
    """The group `data` that a run was trained with; ValueError for classes that are not this package's own."""
    found = OmegaConf.to_container(OmegaConf.load(path)).get("data")  # type: ignore[union-attr]
    for target in _targets(found):
        if not str(target).startswith("facegen.data."):
            raise ValueError(f"{path}: data has the class {target!r}, expected those of facegen.data; choose data=NAME")
    return found


def _targets(node: Any) -> Iterator[Any]:
    """All classes that a configuration would make."""
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "_target_")
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _targets(value)


def _recipes(settings: dict[str, Any], groups: dict[str, Any], generator: Any) -> list[NamedRecipe]:
    """Real pictures at the generator's resolution, with labels where it takes some."""
    recipes = [_recipe(group, generator) for group in groups.values()]
    names = settings["names"] or titles(recipes, [settings["chosen"].get(key) for key in groups])
    if not isinstance(names, list) or len(names) != len(recipes):
        raise ValueError(f"names: got {names!r}, expected one for each of {', '.join(groups)}, as in [a,b]")
    return [NamedRecipe(str(name), recipe) for name, recipe in zip(names, recipes, strict=True)]


def _recipe(group: Any, generator: Any) -> Recipe:
    # Renders that control a diffusion model, and judges of poses, know cameras that it is not told: as the recipe says.
    labels = None if is_diffusion(generator) and not generator.c_dim else generator.c_dim > 0
    try:
        return recipe_of(group, resolution=generator.img_resolution, labels=labels)
    except Exception as error:
        missing, found, _ = str(unwrap(error)).partition(" has no labels")
        if not found:
            raise
        raise ValueError(f"{missing}{found}, and this generator takes labels of {generator.c_dim} numbers") from error


def _plan(settings: dict[str, Any], generator: Any, has_data: bool) -> Plan:
    metrics = settings["metrics"]
    if metrics == "auto":
        crossed = is_3d(generator) or (has_views(generator) and settings.get("against") is not None)
        metrics = ["fid", "kid", "precision_recall", *(["fid3d"] if crossed else [])] if has_data else []
        metrics = [*metrics, "pixels"]
    metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    names = ("num_images", "num_real", "seed", "truncation", "noise_mode", "batch_size", "replicates")
    denoising = Denoising(**{name: settings[name] for name in Denoising._fields})
    return Plan(metrics, **{name: settings[name] for name in names}, denoising=denoising)


def _judges(plan: Plan, settings: dict[str, Any], side: int) -> dict[str, Any]:
    """Networks that look at pairs of pictures."""
    found: dict[str, Any] = {}
    if {"ppl", "diversity"} & set(plan.metrics):
        from facegen.losses.perceptual import perceptual_distance

        found |= dict.fromkeys(("ppl", "diversity"), perceptual_distance(settings["perceptual"], side))
    if "identity" in plan.metrics:
        found["identity"] = extractor_of(settings["identity"], settings["identity_weights"], settings["download"])
    return found


def _adherence(plan: Plan, settings: dict[str, Any]) -> dict[str, Any]:
    """What looks at pictures of a diffusion model, where that is wanted."""
    if ADHERENCE not in plan.metrics or (settings["parser"] is None and settings["regressor"] is None):
        return {}
    return {ADHERENCE: judges_of(settings["parser"], settings["regressor"])}


def _processes(value: str) -> int | None:
    """How many processes share the work; None for `auto`."""
    if value == "auto":
        return None
    if not value.isdecimal() or int(value) < 1:
        raise ValueError(f"processes: got {value!r}, expected auto or a whole number of at least 1")
    return int(value)


def table(results: list[Result]) -> Table:
    """Figures with their intervals and counts."""
    distance = results[0].protocol["distance"]
    rows = []
    for result in results:
        interval = "" if result.interval is None else f"{result.interval[0]:.4g} to {result.interval[1]:.4g}"
        if result.metric == ADHERENCE:
            interval = ", ".join(f"{of} {value:.4g}" for of, value in result.details.items() if value is not None)
        title = f"{result.metric} {result.name}".strip()
        counts = [f"{result.counts.get(side, 0):,}" for side in ("generated", "real")]
        rows.append([title, "–" if result.value is None else f"{result.value:.5g}", interval, *counts])
    return Table("", [distance, "value", "95 %", "generated", "real"], rows)


def remarks(results: list[Result]) -> list[str]:
    """What a reader of the table has to know, each once."""
    said = dict.fromkeys(line for result in results for line in result.warnings)
    distance = results[0].protocol["distance"]
    note = f"{distance} is not FID: compare it with other figures of the same features only."
    return [*said, *([] if distance == "FID" else [note])]


def _keep(results: list[Result], out: Any, checkpoint: Path) -> None:
    """Write lines to `out`, or into a run's folder."""
    if out is not None:
        write_results(Path(str(out)).expanduser(), results)
        print(f"{len(results)} results: {out}")
    elif (run_folder := _run_of(checkpoint)) is not None:
        path = run_folder / "evaluations" / f"{checkpoint.stem}.jsonl"
        merge_results(path, results)
        print(f"{len(results)} results: {path}")
