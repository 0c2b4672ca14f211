"""Controls of every generator: seeds, truncation, what is between two seeds, styles of another one."""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from nicegui import ui

from facegen.evaluation.blending import Blend
from facegen.explore.rooms.generator.desk import Desk
from facegen.explore.rooms.generator.wishes import MOST_SEED

_OTHER_SEEDS = (("chevron_left", -1, "before"), ("chevron_right", 1, "next"), ("casino", 0, "any"))
_MOST_DRAWN = 9999  # seeds that are easy to remember


def card() -> ui.card:
    """What the controls of one thing stand on."""
    return ui.card().classes("w-full").style("padding: 8px 12px; gap: 4px")


def labelled_slider(
    name: str, low: float, high: float, step: float, value: float, changed: Callable[[], Awaitable[None]], mark: str
) -> ui.slider:
    """A slider with its name and value; `changed` comes when the hand lets go."""
    with ui.row().classes("w-full items-center no-wrap q-gutter-x-sm"):
        ui.label(name).classes("text-caption").style("width: 108px")
        slider = ui.slider(min=low, max=high, step=step, value=value).classes("col").mark(mark)
        slider.props(f'data-testid="{mark}" aria-label="{name}"')
        shown = ui.label().bind_text_from(slider, "value", lambda each: f"{each or 0:g}")
        shown.classes("text-caption").style("width: 34px")
    slider.on("change", changed)
    return slider


def value_of(slider: ui.slider) -> float:
    """Where it stands."""
    return float(slider.value or 0)


def whole_number(name: str, value: int | None, most: int, mark: str, **options: Any) -> ui.number:
    """A field for a whole number from 0 on."""
    field = ui.number(name, value=value, min=0, max=most, precision=0, step=1, **options).props("dense outlined")
    return field.mark(mark).props(f'data-testid="{mark}"')


def number_of(field: ui.number, most: int, empty: int = 0) -> int:
    """What a field holds, inside of its limits."""
    return empty if field.value is None else min(max(int(field.value), 0), most)


def seeds_panel(desk: Desk) -> None:
    """One seed, and the way to a second one."""

    async def changed() -> None:
        seed, other = (number_of(field, MOST_SEED) for field in (first, second))
        blend = desk.wish.blend._replace(towards=(other, value_of(share)) if share.value else None)
        await desk.change(seed=seed, blend=blend)

    async def another(step: int) -> None:
        first.value = random.randrange(_MOST_DRAWN) if step == 0 else max(number_of(first, MOST_SEED) + step, 0)
        await changed()

    with card():
        with ui.row().classes("items-center no-wrap w-full"):
            first = whole_number("Seed", 0, MOST_SEED, "seed").on("change", changed).classes("col")
            for icon, step, says in _OTHER_SEEDS:
                button = ui.button(icon=icon).props("flat dense").on_click(partial(another, step))
                button.tooltip(f"The seed: {says}").props(f'data-testid="seed-{says}" aria-label="seed: {says}"')
            second = whole_number("Towards", 1, MOST_SEED, "towards").on("change", changed).classes("col")
        share = labelled_slider("On the way", 0, 1, 0.01, 0, changed, "share")


def truncation_panel(desk: Desk) -> None:
    """Towards the average face, and the style of another seed in some layers."""

    async def changed() -> None:
        await desk.change(truncation=value_of(psi))

    async def mixed() -> None:
        first, last = (int((layers.value or {}).get(end, 0)) for end in ("min", "max"))
        mix = (number_of(other, MOST_SEED), first, last) if on.value else None
        await desk.change(blend=Blend(desk.wish.blend.towards, mix))

    last = desk.source.layers - 1
    with card():
        psi = labelled_slider("Truncation ψ", -1, 1.5, 0.05, 1, changed, "truncation")
        with ui.row().classes("items-center no-wrap w-full"):
            on = ui.switch("Style of seed", on_change=mixed).props('data-testid="mix"')
            on.tooltip("Style mixing: early layers are the shape of the head, late ones its colours")
            other = whole_number("Other seed", 2, MOST_SEED, "mix-seed").on("change", mixed).classes("col")
        with ui.row().classes("w-full items-center no-wrap q-px-sm"):
            ui.label("Layers").classes("text-caption q-mr-md")
            layers = ui.range(min=0, max=last, step=1, value={"min": last // 2, "max": last}).classes("col")
            layers.props('label-always snap markers data-testid="layers"').on("change", mixed)


def classes_panel(desk: Desk) -> None:
    """The class of a model that has some."""

    async def changed() -> None:
        await desk.change(label=None if field.value is None else number_of(field, desk.source.classes - 1))

    field = whole_number("Class (empty: average)", None, desk.source.classes - 1, "class").on("change", changed)
    field.props("clearable").classes("w-full")
