"""The kinds of pictures on the page of `facegen data stats`, with what is said of each."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from facegen.cli.stats import poses, ranges
from facegen.cli.stats.panels import Panel, Plot
from facegen.reports.page import Block, Picture
from facegen.reports.tables import amount, percent


class Kind(NamedTuple):
    """One kind of picture: the name in its file, heading, what it shows, and the plot."""

    name: str
    heading: str
    text: str
    plot: Plot


KINDS = (
    Kind(
        "poses",
        "Cameras",
        "Each point is a view: a face, or its mirror image where the recipe takes that as well. theta and phi are the "
        "directions of the cameras; a frontal view is at 90, 90. Colours: how often an epoch shows the face.",
        poses.scatter,
    ),
    Kind(
        "density",
        "Density of an epoch",
        "Gaussian kernel density (Scott's bandwidth) of the poses of all items, copies and weights included. Inside "
        "the white line it is above 0.4 per square radian; outside, LPFF calls a pose rare.",
        poses.density,
    ),
    Kind(
        "yaw-pitch",
        "Yaw and pitch together",
        "Share of an epoch's items by where the head looks in the picture: yaw is positive to the right, pitch where "
        "the face is seen from above.",
        poses.yaw_pitch,
    ),
    Kind(
        "angles",
        "Yaw and pitch, each alone",
        "The same for each angle alone, on a logarithmic axis that shows the rare ones; grey outlines are the others.",
        poses.angles,
    ),
    Kind(
        "expression",
        "Expression",
        "Coefficients of the expression, over an epoch's items: the middle half dark, from 5 % to 95 % light.",
        ranges.ranges("expression"),
    ),
    Kind(
        "light",
        "Light",
        "Coefficients of the light (spherical harmonics), likewise; of flipped items those of the image as it is.",
        ranges.ranges("light"),
    ),
    Kind("sizes", "Sizes", "Sizes of the images and of their files, each face once.", ranges.sizes),
)


def block(kind: Kind, recipe: str, panels: Sequence[Panel]) -> list[Block]:
    """Pictures of one kind, or nothing where no panel has anything to show."""
    pictures = []
    for number, panel in enumerate(panels):
        if (png := kind.plot(panel, panels)) is not None:
            prefix = f"{file_name(recipe)}-{number}-" if recipe else ""
            says = f"{kind.heading} of {panel.title}: {_summary(kind.name, panel.numbers)}"
            pictures.append(Picture(png, says, f"{prefix}{file_name(panel.title)}-{kind.name}.png"))
    return [Block(kind.heading, kind.text, pictures)] if pictures else []


def _summary(kind: str, numbers: dict[str, Any]) -> str:
    """What a picture shows, in words."""
    if kind in ("expression", "light"):
        found = numbers[kind]
        return f"{len(found['quantiles']['50%'])} coefficients ({found['model']}) of {found['faces']:,} faces"
    if kind == "sizes":
        return f"{numbers['faces']:,} files, {amount(numbers['files']['bytes'])}"
    poses = numbers["poses"]
    theta, phi = (f"{poses[name]['mean']:.1f} ± {poses[name]['deviation']:.1f}" for name in ("theta", "phi"))
    turned = percent(poses["turned"]["items"][30])
    return f"{numbers['items']:,} items, theta {theta}, phi {phi} degrees, {turned} turned by more than 30 degrees"


def file_name(title: str) -> str:
    """A title as part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", title).strip("._")[:60] or "recipe"
