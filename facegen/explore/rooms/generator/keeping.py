"""Taking things along: the picture with the command that makes it, and the shape of a face."""

import base64
from collections.abc import Mapping

from nicegui import run, ui

from facegen.explore.rooms.generator.desk import Desk
from facegen.explore.rooms.generator.loaded import Loaded
from facegen.explore.rooms.generator.seen import Made
from facegen.explore.rooms.generator.wishes import Wish, command, written
from facegen.rendering.glb_file import png_bytes

_GLB = "model/gltf-binary"
_RESOLUTIONS = {64: "64³, quick", 128: "128³", 256: "256³, as facegen generate"}
_LEVEL = 9.0  # density per world unit, as facegen generate has it


def command_of(source: Loaded, wish: Wish, made: Made, hints: Mapping[str, str]) -> str:
    """The command that makes the picture shown; hints: files by control."""
    labels = written(made.camera) if made.camera is not None else None
    if labels is None and source.has_camera:
        labels = "none"
    elif wish.label is not None and source.classes:
        labels = str(wish.label)
    person = wish.denoise.person and "coefficients" in source.conditions
    told = wish._replace(denoise=wish.denoise._replace(person=person))
    return command(source.path, told, source.kind, labels, hints)


def keeping_panel(desk: Desk) -> None:
    """Buttons below the picture."""

    async def save() -> None:
        if (made := desk.made) is None:
            return
        wish = desk.wish
        files = {name: f"seed{wish.seed:04d}_{name}.png" for name in made.hints}
        ui.download.content(png_bytes(made.picture), f"seed{wish.seed:04d}.png", "image/png")
        for name, file in files.items():
            ui.download.content(png_bytes(made.hints[name]), file, "image/png")
        shown.content = command_of(desk.source, wish, made, files)
        shown.set_visibility(True)

    with ui.row().classes("items-center q-gutter-sm"):
        button = ui.button("Save", icon="download", on_click=save).props('dense data-testid="save"')
        button.tooltip("The picture, its hints, and the command that makes it")
        if desk.source.kind == "3d":
            mesh = ui.button("Mesh", icon="view_in_ar", on_click=lambda: mesh_dialog(desk))
            mesh.props('dense data-testid="mesh"').tooltip("The face's surface, to turn and to download as GLB")
    shown = ui.code("", language="bash").classes("w-full text-caption").props('data-testid="command"')
    shown.style("max-width: 480px; white-space: pre-wrap; overflow-wrap: anywhere")
    shown.set_visibility(False)


async def mesh_dialog(desk: Desk) -> None:
    """A window with the surface of the face."""
    wish, maker = desk.wish, desk.maker
    assert maker is not None
    content = b""

    async def make() -> None:
        nonlocal content
        spinner.set_visibility(True)
        try:
            content = (
                await run.io_bound(maker.mesh, wish, int(resolution.value or 64), float(level.value or _LEVEL)) or b""
            )
        except (ValueError, TypeError) as error:
            ui.notify(" ".join(str(error).split())[:300], type="negative", multi_line=True)
            return
        finally:
            spinner.set_visibility(False)
        scene.clear()
        scene.gltf(f"data:{_GLB};base64,{base64.b64encode(content).decode()}")
        says.text = f"{len(content) / 2**20:.1f} MB"

    with ui.dialog(value=True) as dialog, ui.card().style("min-width: 660px"):
        dialog.on("hide", dialog.delete)
        with ui.row().classes("items-center"):
            resolution = ui.select(_RESOLUTIONS, value=64, label="Cells", on_change=make).props("dense outlined")
            level = ui.number("Density", value=_LEVEL, step=1).on("change", make).props("dense outlined")
            level.tooltip("Density per world unit at the surface")
            spinner, says = ui.spinner(), ui.label().props('data-testid="mesh-size"')
            name = f"seed{wish.seed:04d}.glb"
            ui.button("GLB", icon="download", on_click=lambda: ui.download.content(content, name, _GLB)).props("dense")
            ui.button(icon="close", on_click=dialog.close).props('flat dense aria-label="close"')
        scene = ui.scene(620, 480, grid=False, background_color="#f6f7f9")
        scene.move_camera(x=0, y=0.1, z=0.9, look_at_x=0, look_at_y=0, look_at_z=0, up_x=0, up_y=1, up_z=0, duration=0)
    await make()
