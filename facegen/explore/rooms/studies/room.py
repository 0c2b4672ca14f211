"""The room Studies."""

from urllib.parse import quote

from nicegui import ui

from facegen.explore.opened import Opened
from facegen.explore.rooms.studies.choice import Choice
from facegen.explore.rooms.studies.results_panel import figures_panel, matrices_panel, poses_panel
from facegen.explore.rooms.studies.runs_panel import curves_panel, samples_panel, settings_panel

_MOST_RUNS = 6  # beyond that curves have no colours of their own, and grids no room
_FIRST_SHOWN = 2
_TABLES = """
.figures table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.figures caption { text-align: left; font-weight: 600; padding-bottom: 4px; }
.figures th, .figures td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid #d9e2ec; }
.figures th:first-child { text-align: left; }
.figures thead th { color: #52606d; font-weight: 500; max-width: 11rem; overflow-wrap: anywhere; }
.figures .table { display: inline-block; vertical-align: top; margin: 0 32px 20px 0; }
.figures td small { display: block; color: #52606d; }
.figures td.better { color: #1b7f5c; font-weight: 600; }
.figures td.worse { color: #b3402a; font-weight: 600; }
.figures td.shaded { background: color-mix(in srgb, #e8a33d var(--part), white); padding: 4px 12px; }
"""


def room(opened: Opened) -> None:
    """Build the room for one visitor."""
    runs, studies = list(opened.runs()), list(opened.studies())
    if not runs and not studies:
        ui.label("No run is open: facegen explore runs, or a folder with study.yaml")
        return
    choice = Choice(opened)
    choice.names, choice.study_name = runs[:_FIRST_SHOWN], studies[0] if studies else ""
    ui.add_css(_TABLES)
    with ui.row().classes("w-full items-center no-wrap q-gutter-x-md"):
        chosen = ui.select(runs, multiple=True, value=choice.names, label=f"Runs, up to {_MOST_RUNS}").classes("col")
        chosen.props(f'use-chips dense outlined max-values={_MOST_RUNS} data-testid="runs"')
        study = ui.select(["", *studies], value=choice.study_name, label="Study").props("dense outlined")
        study.style("min-width: 220px").props('data-testid="study"')
        report = ui.link("Report", "", new_tab=True).tooltip("The study's own report, in a new tab")
    builds = {
        "Curves": lambda: curves_panel(choice),
        "Samples": lambda: samples_panel(choice),
        "Settings": lambda: settings_panel(choice),
        "Figures": lambda: figures_panel(choice),
        "FID3D": lambda: matrices_panel(choice),
        "Poses": lambda: poses_panel(choice),
    }
    with ui.tabs().props("dense align=left inline-label").classes("w-full") as tabs:
        for name in builds:
            ui.tab(name).props(f'data-testid="tab-{name}"')
    tabs.set_value("Curves")
    place = ui.column().classes("w-full")

    async def show() -> None:
        choice.names, choice.study_name = [*(chosen.value or [])][:_MOST_RUNS], study.value or ""
        folder = choice.study
        report.set_visibility(folder is not None and (folder / "report.html").is_file())
        report.props(f'href="/studies/report/{quote(choice.study_name, safe="")}"')
        place.clear()
        with place, ui.column().classes("w-full"):  # its own, which is gone when the next one comes
            try:
                await builds[str(tabs.value or "Curves")]()
            except ValueError as error:
                ui.label(" ".join(str(error).split())[:400]).classes("text-negative")

    for control in (chosen, study, tabs):
        control.on_value_change(show)
    ui.timer(0.1, show, once=True)
