"""Controls of diffusion models: sampler, steps, guidance, texts, the person and the camera they are told."""

from nicegui import ui

from facegen.diffusion.sampling import SAMPLERS
from facegen.explore.rooms.generator.denoising import DRAWN, text_name
from facegen.explore.rooms.generator.desk import Desk
from facegen.explore.rooms.generator.panels import card, labelled_slider, number_of, value_of, whole_number
from facegen.explore.rooms.generator.wishes import Denoise

_OWN = "the model's own"
_MOST_STEPS = 1000
_MOST_TEXT = 300  # characters


def asking_panel(desk: Desk) -> None:
    """Everything but hints. Texts and numbers count when the field is left or Enter is pressed."""
    source, own = desk.source, desk.source.network.sampling

    async def changed() -> None:
        fields = {name: field() for name, field in read.items()}
        await desk.change(denoise=Denoise(**fields))

    with card():
        with ui.row().classes("items-center no-wrap w-full"):
            steps = whole_number(f"Steps ({own.steps})", None, _MOST_STEPS, "steps").classes("col")
            steps.on("change", changed)
            flow = source.network.process.objective == "flow"
            known = [each for each in SAMPLERS if each.startswith("flow") == flow or each in ("dpm++2m", "unipc")]
            sampler = ui.select([_OWN, *known], value=_OWN, label="Sampler", on_change=changed)
            sampler.props("dense outlined").classes("col")
        read = {
            "steps": lambda: number_of(steps, _MOST_STEPS) or None,
            "sampler": lambda: None if sampler.value == _OWN else sampler.value,
        }
        if source.conditions:
            guidance = labelled_slider("Guidance", 0, 10, 0.1, own.guidance, changed, "guidance")
            read["guidance"] = lambda: None if value_of(guidance) == own.guidance else value_of(guidance)
        if text_name(source) is not None:
            for name, says in (("prompt", "What is to be seen"), ("negative", "What is not to be seen")):
                field = ui.input(says, validation={"too long": lambda text: len(text) <= _MOST_TEXT}).classes("w-full")
                field.on("change", changed).props(f'dense outlined data-testid="{name}"')
                read[name] = lambda field=field: (field.value or "")[:_MOST_TEXT]
        if "coefficients" in source.conditions or any(each in DRAWN for each in source.controls):
            person = ui.switch("A person drawn for the seed", value=bool(source.controls), on_change=changed)
            person.tooltip("Coefficients and renders of a random person of the built-in head")
            person.props('data-testid="person"')
            read["person"] = lambda: person.value
            desk.wish = desk.wish._replace(denoise=Denoise(person=bool(person.value)))
        if source.has_camera:
            told = ui.switch("Told the camera", value=True, on_change=changed)
            read["told_camera"] = lambda: told.value
        if source.controls:
            strength = labelled_slider("Control", 0, 2, 0.05, 1, changed, "strength")
            read["strength"] = lambda: value_of(strength)
