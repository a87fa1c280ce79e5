"""The menu that changes the model which the app runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import gradio as gr

from var_core.engine.pipeline import Pipeline
from var_core.weights.convert import FileProgress
from var_core.weights.download import fetch, supply
from var_core.weights.registry import MODELS, Published, fits, size_in_words

from . import html, pace
from .events import AT_ONCE, QUIET, SKIP, Renewal, Trigger, Unchanged, in_words, wire
from .html import READY
from .models import Models
from .on_model import wire_in_turns
from .run import StopFlag

DOING = {"download": "downloading", "check": "checking", "preview": "fitting the preview", "write": "writing"}


def header_line(pipe: Pipeline) -> str:
    """The line on top of every page."""
    return (
        "<h1>VAR Studio</h1><p>Pictures, painted scale by scale: make them, edit them, look inside.</p>"
        f'<span title="the model, and where it runs" data-model="{pipe.digest}">'
        f"{escape(pipe.spec.name)} · {pipe.device.type}</span>"
        '<button type="button" id="tour_button">Take the tour</button>'
        '<button type="button" data-language="en" lang="en">English</button>'
        '<button type="button" data-language="de" lang="de">Deutsch</button>'
        '<button type="button" id="theme_button" title="Theme: light, dark, as the system" '
        'aria-label="Theme: as the system, light or dark"></button>'
        '<button type="button" id="shortcuts" title="Shortcuts (?)" aria-label="Shortcuts">?</button>'
    )


class Menu(NamedTuple):
    """The widgets of the menu."""

    name: gr.Dropdown
    about: gr.HTML
    bar: gr.HTML
    load: gr.Button
    get: gr.Button
    cancel: gr.Button
    finisher: gr.Dropdown
    scale: gr.Slider
    use: gr.Button
    pair: gr.Row  # of the last three


class MenuUpdate(NamedTuple):
    """New values for the widgets of `Menu`, in its order."""

    name: str | Unchanged = SKIP
    about: str | Unchanged = SKIP
    bar: str | Unchanged = SKIP
    load: gr.Button | Unchanged = SKIP
    get: gr.Button | Unchanged = SKIP
    cancel: gr.Button | Unchanged = SKIP
    finisher: gr.Dropdown | Unchanged = SKIP
    scale: gr.Slider | Unchanged = SKIP
    use: gr.Button | Unchanged = SKIP
    pair: gr.Row | Unchanged = SKIP


@dataclass(frozen=True)
class MenuHandlers:
    """Handlers of the menu, as functions of its values."""

    models: Models

    def choose(self, name: str) -> MenuUpdate:
        """Say of another model in the menu what it is, and what can be done with it."""
        now = name == self.models.name
        here = now or self.models.here(name)
        return MenuUpdate(
            about=about(self.models, name),
            load=gr.Button(visible=here, interactive=not now, value="Loaded" if now else "Load"),
            get=gr.Button(visible=not here),
            cancel=gr.Button(visible=False),
        )

    def get(self, name: str, stop_flag: StopFlag) -> Iterator[MenuUpdate]:
        """Download a model and make it ready; the stop flag ends it, and what is there stays for the next time."""
        yield MenuUpdate(bar=html.bar("Connecting …"), get=gr.Button(visible=False), cancel=gr.Button(visible=True))
        with in_words():
            running = fetch(MODELS[name], self.models.folder)
            for progress in running:
                if stop_flag.is_set():
                    running.close()
                    told = html.bar("Stopped. Download goes on from here the next time.")
                    yield self.choose(name)._replace(bar=told)
                    return
                yield MenuUpdate(bar=html.bar(describe_progress(progress), progress.fraction))
        yield self.choose(name)._replace(bar=html.bar(f"{name} is here: load it.", 1.0))

    def failed(self, name: str) -> MenuUpdate:
        """Show the menu as it is after an error."""
        return self.choose(name)._replace(bar=READY)

    def load(self, name: str) -> Iterator[tuple[object, ...]]:
        """Load a model; then its name in the page's header, and the menu."""
        yield SKIP, *MenuUpdate(bar=html.bar(f"Loading {name} …"))
        with in_words():
            self.models.change(name)
        finisher, scale, pair = pair_of(self.models)
        told = self.choose(name)._replace(bar=html.bar(f"{name} is loaded.", 1.0))
        yield header_line(self.models.pipe), *told._replace(finisher=finisher, scale=scale, pair=pair)

    def finish(self, name: str, scale: float) -> Iterator[tuple[object, ...]]:
        """Let a second model finish what the loaded one begins; then its name in the page's header, and the menu."""
        yield SKIP, *MenuUpdate(bar=html.bar(f"Loading {name} …" if name else "One moment …"))
        with in_words():
            self.models.finish_with(name, int(scale))
        said = f"{name} finishes from scale {int(scale)} on." if name else f"{self.models.name} draws all scales."
        yield header_line(self.models.pipe), *MenuUpdate(bar=html.bar(said, 1.0))


def listed(models: Models) -> list[tuple[str, str]]:
    """The models to choose from, each with how long a picture takes, as far as that is known."""
    estimates = ((name, models.estimate(name)) for name in models.names)
    return [(f"{name} · {pace.short(found)}" if found else name, name) for name, found in estimates]


def pair_of(models: Models) -> tuple[gr.Dropdown, gr.Slider, gr.Row]:
    """Return the choice of a second model, the scale that it begins at, and whether there is any to choose."""
    choices = _finishers(models)
    low, high, usual = _ends(models)
    return gr.Dropdown(choices, value=""), gr.Slider(low, high, value=usual), gr.Row(visible=len(choices) > 1)


def _ends(models: Models) -> tuple[int, int, int]:
    """Return the first and last scale that a second model may begin at, and the usual one."""
    scales = len(models.pipe.schedule)
    return 2, scales, max(2, scales - 1)


def _finishers(models: Models) -> list[tuple[str, str]]:
    return [("No other model", ""), *((name, name) for name in models.finishers)]


def about(models: Models, name: str) -> str:
    """Say what a model is, how long a picture takes, what the model needs, and whether it fits on this machine."""
    now, here = name == models.name, models.here(name)
    lines = [pace.pace_in_words(models.estimate(name)), "It is loaded." if now else "It is here." if here else ""]
    if name in MODELS:
        lines = [*_published(MODELS[name]), *lines]
    if name in MODELS and not here:
        model, found = MODELS[name], supply(MODELS[name], models.folder)
        left, disk = size_in_words(found.left), size_in_words(model.disk_bytes)
        lines.append(f"To download: {left}{found.note}; on disk afterwards: {disk}.")
        lines.append(f"In memory: {size_in_words(model.memory_bytes())} in float32.")
        short = fits(model, models.folder, models.pipe.device.type, found.there)
        lines += short or ["It fits on this machine."]
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line)


def _published(model: Published) -> list[str]:
    parameters = model.parameters / 1e9
    side, classes = model.spec.tokenizer.drawn_side, model.spec.transformer.classes
    return [
        f"{model.title}: {parameters:.2f} billion parameters, {side} pixels, {classes} classes, FID {model.fid:.2f}.",
        f"By the authors of {model.paper}, from {model.repository}.",
    ]


def describe_progress(progress: FileProgress) -> str:
    """Say how far a download is."""
    what = f"{DOING[progress.doing]} {progress.file}"
    if progress.doing == "preview" or not progress.total:
        return what
    left = progress.seconds_left
    speed = f", {size_in_words(progress.rate)} a second" if progress.doing == "download" and progress.rate else ""
    time = f", {left:.0f} s left" if left is not None and progress.done < progress.total else ""
    return f"{what}: {size_in_words(progress.done)} of {size_in_words(progress.total)}{speed}{time}"


def menu(models: Models) -> Menu:
    """Lay the menu out."""
    now = models.name
    with gr.Accordion("Model", open=False, elem_id="models"):
        with gr.Row(elem_classes="tight"):
            name = gr.Dropdown(
                models.names, value=now, label="Model", show_label=False, container=False, elem_id="model"
            )
            load = gr.Button("Loaded", size="sm", interactive=False, min_width=90, elem_id="model_load")
            get = gr.Button("Download", size="sm", visible=False, min_width=90, elem_id="model_get")
            cancel = gr.Button("Cancel", size="sm", variant="stop", visible=False, min_width=90, elem_id="model_cancel")
        told = gr.HTML(about(models, now), elem_id="model_about")
        finisher, scale, use, pair = _pair(models)
        bar = gr.HTML(READY, elem_id="model_bar")
    return Menu(name, told, bar, load, get, cancel, finisher, scale, use, pair)


def _pair(models: Models) -> tuple[gr.Dropdown, gr.Slider, gr.Button, gr.Row]:
    """Lay out the choice of a second model that finishes what the loaded one begins."""
    choices = _finishers(models)
    with gr.Row(elem_classes="tight", visible=len(choices) > 1, elem_id="pair") as pair:
        text = "A smaller model with the same tokenizer draws the last scales, which hold most tokens: faster."
        finisher = gr.Dropdown(choices, value="", label="Finish with", info=text, elem_id="finisher")
        text = "The first scale that it draws."
        scale = gr.Slider(*_ends(models), step=1, label="From scale", info=text, elem_id="finisher_scale")
        use = gr.Button("Use", size="sm", min_width=90, elem_id="finisher_use")
    return finisher, scale, use, pair


def wire_menu(
    models: Models,
    page: gr.Blocks,
    made: Menu | None,
    header: gr.HTML,
    renewals: Sequence[Renewal],
    visit: Callable[[Trigger], None],
) -> None:
    """Wire the menu, if there is one, and what tabs do when another model is loaded.

    A page that is opened after that is renewed first; each lists the models that are there when it is opened.
    Then `visit` gives it the settings of its address.
    """
    if made is None:
        visit(page.load)
        return
    first, widgets = models.pipe.digest, [widget for renewal in renewals for widget in renewal.widgets]

    def renewed() -> list[object]:
        return [value for renewal in renewals for value in renewal.values()]

    shown = [made.name, made.about, made.finisher, made.scale, made.pair]

    def opened() -> list[object]:
        names = gr.Dropdown(listed(models), value=models.name)  # with the files that have come since the page was made
        menu = [names, about(models, models.name), *pair_of(models)]
        if models.pipe.digest == first:  # the page was made for it
            return [SKIP, *menu, *[SKIP for _ in widgets]]
        return [header_line(models.pipe), *menu, *renewed()]

    visit(wire(page.load, opened, [], [header, *shown, *widgets], AT_ONCE).then)
    for changed in _wire_widgets(models, made, header):
        wire(changed.success, renewed, [], widgets, AT_ONCE)


def _wire_widgets(models: Models, made: Menu, header: gr.HTML) -> list[gr.events.Dependency]:
    """Wire the menu's own widgets; returns the events after which another model draws."""
    handlers, stop_flag = MenuHandlers(models), gr.State()
    made.name.change(handlers.choose, made.name, list(made), **AT_ONCE)
    begun = made.get.click(StopFlag, None, stop_flag, **AT_ONCE)
    getting = begun.success(handlers.get, [made.name, stop_flag], list(made), concurrency_id="download", **QUIET)
    getting.failure(handlers.failed, made.name, list(made), **AT_ONCE)
    made.cancel.click(lambda held: held.set(), stop_flag, None, **AT_ONCE)
    loaded = wire_in_turns(
        models.desk, made.load.click, handlers.load, [made.name], [header, *made], made.bar, alone=True
    )
    loaded.failure(handlers.failed, made.name, list(made), **AT_ONCE)
    paired = wire_in_turns(
        models.desk,
        made.use.click,
        handlers.finish,
        [made.finisher, made.scale],
        [header, *made],
        made.bar,
        alone=True,
    )
    paired.failure(handlers.failed, made.name, list(made), **AT_ONCE)
    return [loaded, paired]
