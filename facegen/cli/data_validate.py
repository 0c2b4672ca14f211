"""`facegen data validate`: find bad files and labels before they cost a night."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from facegen.data.validate import Report, validate, write_report

CONFIG = "data_validate"
HELP = """\
Find bad images and labels before they cost a night: decodes every file, in parallel.

Names corrupt and truncated files, wrong or mixed sizes, images that are not 8-bit RGB, missing and malformed labels,
cameras that do not look at the face, labels for images that do not exist, duplicate names and identical copies; of a
published dataset also missing, unexpected and malformed files beside the images. A table here, all of it in a JSON
file.
Ends with status 0 when everything is in order, 1 when something was found.

Examples:
  facegen data validate root=~/photographs
  facegen data validate root=ffhq.zip resolution=512 labels=true    sizes and labels that this training needs
  facegen data validate root=[ffhq,lpff] out=report.json            several sources, one report"""
SHOWN = 3  # examples of each kind of problem on the screen; the JSON file has all


def run(cfg: DictConfig) -> None:
    """Validate one or several sources; SystemExit(1) where problems were found."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    roots = settings["root"] if isinstance(settings["root"], list) else [settings["root"]]
    if not roots:
        raise ValueError("root=[]: expected a folder, a zip, or a list of them")
    check = {name: settings[name] for name in ("resolution", "labels", "workers", "layout")}
    _check_settings(check)
    reports = [validate(root, **check) for root in roots]
    names = "+".join(Path(report.root).name.removesuffix(".zip") for report in reports)
    path = Path(settings["out"] or f"{names}-validation.json").expanduser()
    write_report(reports, path)
    for report in reports:
        print(table(report), end="\n\n")
    print(f"Everything found: {path}")
    if not all(report.clean for report in reports):
        raise SystemExit(1)


def table(report: Report) -> str:
    """A report as aligned text: totals, then the kinds of problems with the first few of each."""
    sizes = ", ".join(f"{size} ({count})" for size, count in list(report.sizes.items())[:SHOWN])
    more = f" and {len(report.sizes) - SHOWN} other sizes" if len(report.sizes) > SHOWN else ""
    lines = [
        f"{report.root} ({report.kind})",
        f"  images         {report.images:>8}  {sizes}{more}",
        f"  labels         {report.labels:>8}",
        f"  other files    {report.ignored_files:>8}  ignored",
        f"  problems       {len(report.problems):>8}{'' if report.problems else '  none'}",
    ]
    counts = report.counts()
    width = max([len(kind) for kind in counts], default=0)
    for kind, problems in counts.items():
        for number, problem in enumerate(problems[:SHOWN]):
            left = f"  {kind:<{width}}  {len(problems):>6}" if number == 0 else " " * (width + 10)
            lines.append(f"{left}  {_short(problem.id, report.root)}: {problem.detail}")
        if len(problems) > SHOWN:
            lines.append(f"{' ' * (width + 10)}  ... and {len(problems) - SHOWN} more")
    return "\n".join(lines)


def _short(name: str, root: str) -> str:
    return name.removeprefix(root).lstrip("/:")


def _check_settings(settings: dict[str, Any]) -> None:
    resolution, labels, workers = settings["resolution"], settings["labels"], settings["workers"]
    if resolution is not None and (type(resolution) is not int or resolution < 1):
        raise ValueError(f"resolution: got {resolution!r}, expected a positive whole number or null")
    if labels not in (None, True, False):
        raise ValueError(f"labels: got {labels!r}, expected true, false or null")
    if workers < 0:
        raise ValueError(f"workers: got {workers}, expected 0 or more")
