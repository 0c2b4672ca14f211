"""What runs did, side by side: curves, samples at the same time, settings that differ."""

import base64
from urllib.parse import quote

from nicegui import run, ui

from facegen.explore.rooms.studies import logged, samples
from facegen.explore.rooms.studies.choice import Choice
from facegen.explore.rooms.studies.settings import differences, settings

_MOST_ROWS = 400


def show_png(content: bytes | None, says: str, width: int, mark: str = "plot") -> None:
    """A plot in the page."""
    if content is not None:
        image = ui.image(f"data:image/png;base64,{base64.b64encode(content).decode()}").style(f"width: {width}px")
        image.props(f'data-testid="{mark}"').classes("bg-white rounded-borders")
        image.props["alt"] = says


async def curves_panel(choice: Choice) -> None:
    """Any figure of the runs' logs over images or hours."""
    rows = {name: logged.rows(folder) for name, folder in choice.runs.items()}
    names = logged.figures(rows)
    if not names:
        ui.label("These runs have logged nothing yet.")
        return
    with ui.row().classes("items-center q-gutter-x-md"):
        shown = ui.select(names, value=names[:2], multiple=True, label="Figures").props("use-chips dense outlined")
        shown.style("min-width: 340px").props('data-testid="figures"')
        axis = ui.toggle({"kimg": "images", "time": "hours"}, value="kimg").props("dense no-caps")
        ui.label("Smooth").classes("text-caption")
        half_life = ui.slider(min=0, max=20, step=1, value=0).style("width: 120px").props("label")
        half_life.tooltip("Half-life of the mean over the past, in points")
        log = ui.switch("log")
    plots = ui.row().classes("w-full q-gutter-md")

    async def draw() -> None:
        made = []
        for name in [*(shown.value or [])]:
            how = str(axis.value), float(half_life.value or 0), bool(log.value)
            made.append((name, await run.io_bound(logged.curves, rows, name, *how)))
        if plots.is_deleted:
            return
        plots.clear()
        with plots:
            for name, content in made:
                show_png(content, name, 590, "curves")

    for control in (shown, axis, log):
        control.on_value_change(draw)
    half_life.on("change", draw)
    await draw()


async def samples_panel(choice: Choice) -> None:
    """Grids of the same seeds, at the time that a slider says or the last one before."""
    runs = choice.runs
    clock = samples.clock(runs.values())
    if not clock:
        ui.label("These runs have no samples.")
        return
    with ui.row().classes("w-full items-center no-wrap q-gutter-x-md"):
        ui.label("Thousand images").classes("text-caption")
        at = (
            ui.slider(min=0, max=len(clock) - 1, step=1, value=len(clock) - 1)
            .classes("col")
            .props('data-testid="moment"')
        )
        says = ui.label().bind_text_from(at, "value", lambda place: f"{clock[int(place or 0)]:g}")
        says.style("width: 60px")
        reals = ui.switch("Real faces").tooltip("The faces that each run was trained on")
    grids = ui.row().classes("w-full q-gutter-md")
    width = 1200 // max(len(runs), 2) - 16

    def draw() -> None:
        grids.clear()
        with grids:
            for name, folder in runs.items():
                moment = "reals" if reals.value else samples.nearest(folder, clock[int(at.value or 0)])
                with ui.column().classes("q-gutter-y-xs").style(f"width: {width}px"):
                    ui.label(name).classes("text-bold ellipsis")
                    ui.label("no samples" if moment is None else moment).classes("text-caption")
                    if moment is not None:
                        ui.image(f"/studies/samples/{quote(name, safe='')}/{moment}.png").props("no-transition")

    at.on_value_change(draw)
    reals.on_value_change(draw)
    draw()


async def settings_panel(choice: Choice) -> None:
    """Settings that differ, or all."""
    every = {name: settings(folder) for name, folder in choice.runs.items()}
    all_of_them = ui.switch("Those that are the same too", value=len(every) < 2)

    @ui.refreshable
    def table() -> None:
        rows = differences(every, bool(all_of_them.value))
        if not rows:
            ui.label("No setting differs.")
        show_table(["setting", *every], rows)

    table()
    all_of_them.on_value_change(table.refresh)


def show_table(head: list[str], rows: list[list[str]]) -> None:
    """A table of texts, which the browser never takes for anything else."""
    columns = [{"name": str(n), "label": each, "field": str(n), "align": "left"} for n, each in enumerate(head)]
    values = [{"id": place, **{str(n): cell for n, cell in enumerate(row)}} for place, row in enumerate(rows)]
    table = ui.table(rows=values[:_MOST_ROWS], columns=columns, row_key="id").classes("w-full")
    table.props('dense flat wrap-cells :rows-per-page-options="[0]" hide-pagination data-testid="table"')
    if len(rows) > _MOST_ROWS:
        ui.label(f"… and {len(rows) - _MOST_ROWS} more").classes("text-caption")
