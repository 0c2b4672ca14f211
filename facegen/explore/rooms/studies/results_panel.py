"""What evaluations say: all figures, FID3D matrices, distances by pose."""

from nicegui import run, ui

from facegen.explore.rooms.studies import measured
from facegen.explore.rooms.studies.choice import Choice
from facegen.explore.rooms.studies.runs_panel import show_png, show_table
from facegen.study import poses

_NOTHING = "Nothing was measured: choose a study with results.json, or runs with evaluations."
_TOLD = (
    "Rows: the camera that the mapping network is told. Columns: the recipe whose cameras look, and whose images are "
    "compared with. Lower is better; ± is half the 95 % interval over the seeds."
)


async def figures_panel(choice: Choice) -> None:
    """Every figure of every run."""
    results = await _results(choice)
    if _gone():
        return
    head, rows = measured.figures_table(results)
    if rows:
        show_table(head, rows)
    else:
        ui.label(_NOTHING)


async def matrices_panel(choice: Choice) -> None:
    """FID3D matrices of runs, and their differences."""
    html = measured.matrices(await _results(choice))
    if _gone():
        return
    if not html:
        ui.label("No FID3D was measured.")
        return
    ui.label(_TOLD).classes("text-caption text-grey-8")
    # Names can only have become text: the tables are trees of elements until they are written.
    ui.html(html, sanitize=False).classes("figures").props('data-testid="matrices"')


async def poses_panel(choice: Choice) -> None:
    """Curves and heat maps of one pose-binned distance at a time."""
    results = await _results(choice)
    if _gone():
        return
    places = {f"{evaluation}: {name}": (evaluation, name) for evaluation, name in poses.places(results)}
    if not places:
        ui.label("No distances by pose were measured.")
        return
    shown = ui.select([*places], value=next(iter(places)), label="Distance").props("dense outlined")
    shown.style("min-width: 340px")
    plots = ui.row().classes("w-full q-gutter-md").props('data-testid="poses"')

    async def draw() -> None:
        blocks = await run.io_bound(poses.of_figure, results, *places[str(shown.value)])
        if plots.is_deleted:
            return
        plots.clear()
        with plots:
            for picture in [each for block in reversed(blocks or []) for each in block.pictures]:
                show_png(picture.png, picture.says, 376)

    shown.on_value_change(draw)
    await draw()


async def _results(choice: Choice) -> measured.Results:
    """Of the study, or where none is chosen of the runs. Raises ValueError for files that cannot be read."""
    if (folder := choice.study) is not None:
        return await run.io_bound(measured.of_study, folder) or {"runs": {}, "comparisons": {}}
    return await run.io_bound(measured.of_runs, choice.runs) or {"runs": {}, "comparisons": {}}


def _gone() -> bool:
    """Whether the visitor went on to something else while this was read."""
    return ui.context.slot.parent.is_deleted
