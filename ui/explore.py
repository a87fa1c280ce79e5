"""The Explore tab: step through the scales of a picture, look inside, and change one token or one scale."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from var_core import trace as traces
from var_core.atlas import Atlas
from var_core.config import ModelSpec
from var_core.images import flat
from var_core.images import opened as opened_file
from var_core.pipeline import Pipeline, Request
from var_core.sampling import Sampling
from var_core.trace import Timed, Trace, examine, timed

from . import controls, parts, runs
from . import lab as labs
from .create import Created
from .desk import Done
from .edit import Edited
from .lab import Lab
from .look import FOLDER
from .parts import AT_ONCE, ON_MODEL, READY, Drawing, in_words, unchanged

AT_FIRST = 5  # of a token's alternatives
SOON = 0.3  # seconds after which a run tells how far it is


class Source(NamedTuple):
    """The widgets that say what to look at."""

    class_name: gr.Dropdown
    seed: gr.Textbox
    lock: gr.Checkbox
    run: gr.Button
    stop: gr.Button
    picture: gr.UploadButton
    file: gr.UploadButton
    shelf: gr.Gallery


class Export(NamedTuple):
    """The buttons that save the picture, and the hidden one that hands the file over."""

    gif: gr.Button
    mp4: gr.Button
    sheet: gr.Button
    trace: gr.Button
    file: gr.DownloadButton


class View(NamedTuple):
    """What a handler changes, in this order: the bar, what the page is told, the visitor's lab, the controls."""

    bar: gr.HTML
    channel: gr.HTML
    lab: gr.State
    run: gr.Button
    stop: gr.Button
    class_name: gr.Dropdown
    seed: gr.Textbox
    guidance: gr.Slider
    temperature: gr.Slider
    top_k: gr.Number
    top_p: gr.Slider
    smooth: gr.Checkbox


SAME = unchanged(View)


@dataclass(frozen=True)
class Handlers:
    """What the widgets do, as functions of their values. They return new values in the order of the outputs."""

    pipe: Pipeline
    cache: str  # where Gradio serves files from
    atlas: Atlas | None

    def enter(self, lab: Lab | None) -> View:
        """Coming here for the first time: something to look at."""
        if lab is not None and lab.nodes:
            return SAME
        paths = labs.shipped()
        return self._file(lab or Lab(), paths[0]) if paths else SAME._replace(lab=lab or Lab())

    def draw(self, lab: Lab | None, class_name: str, seed: str, lock: bool, *drawing: object) -> Iterator[View]:
        """Draw a picture of a class."""
        with in_words():
            asked = controls.read(self.pipe.spec, class_name, 1, seed if lock else controls.roll(), *drawing)
        name, _, seed_used, *_ = controls.show(self.pipe.spec, asked)
        yield from self._made(lab or Lab(), asked, f"{name}, seed {seed_used}", "drawn")

    def picture(self, lab: Lab | None, path: str, class_name: str) -> Iterator[View]:
        """A picture of the user's own, as the model sees it: its tokens, and how likely they were."""
        with in_words():
            with opened_file(path, "picture") as image:
                tokens = self.pipe.encode(flat(image))
            label = self.pipe.spec.label(controls.complete(self.pipe.spec, class_name))
            asked = traces.opened(tokens, label, Sampling(guidance=0.0))
        yield from self._made(lab or Lab(), asked, Path(path).stem, "opened")

    def file(self, lab: Lab | None, path: str) -> View:
        """A trace from a file."""
        with in_words():
            return self._file(lab or Lab(), Path(path))

    def example(self, lab: Lab | None, event: gr.SelectData) -> View:
        """A trace that comes with the app."""
        return self._file(lab or Lab(), labs.shipped()[event.index])

    def _file(self, lab: Lab, path: Path) -> View:
        trace = Trace.load(path)
        return self._shown(replace(lab, locked=frozenset()).grown(trace.about.class_name, trace), READY)

    def from_create(self, run: runs.Run | None, chosen: int, lab: Lab | None) -> Iterator:
        """A picture of the Create tab, and the way here."""
        if run is None or not run.complete:
            yield gr.skip(), *SAME
            return
        asked = runs.alone(run, chosen)
        title = f"{self.pipe.spec.class_name(asked.labels[0])}, seed {asked.seeds[0]}"
        yield gr.Tabs(selected="explore"), *SAME._replace(bar=runs.bar("Looking inside …"))
        for view in self._made(lab or Lab(), asked, title, "drawn"):
            yield gr.skip(), *view

    def from_edit(self, done: Done | None, place: int, lab: Lab | None) -> Iterator:
        """What the model drew in the last square of an edit, and the way here."""
        if done is None or not done.squares or place < 0:
            yield gr.skip(), *SAME
            return
        yield gr.Tabs(selected="explore"), *SAME._replace(bar=runs.bar("Looking inside …"))
        for view in self._made(lab or Lab(), labs.of_edit(done, place), f"{done.name}, edited", "edited"):
            yield gr.skip(), *view

    def turn(self, lab: Lab | None, *drawing: object) -> Iterator[View]:
        """Draw the same again with other settings; only what changes is computed."""
        if lab is None or not lab.nodes:
            return
        with in_words():
            sampling = controls.read_drawing(*drawing)
            trace = labs.alive(self.pipe, lab)
        if sampling == trace.about.sampling:
            return
        title, asked = labs.turned_title(sampling), traces.resampled(trace, sampling, lab.pinned)
        yield from self._drawn(lab, asked, trace.about.origin, lambda made: lab.turned(title, made))

    def act(self, lab: Lab | None, event: gr.EventData) -> Iterator[View]:
        """Whatever was done on the page's own view."""
        with in_words():
            if lab is None:
                raise ValueError("There is no picture yet: draw one, open one, or choose an example.")
            wish = dict(event._data or {})
            does = {
                "lock": self._lock,
                "goto": self._goto,
                "token": self._token,
                "swap": self._swap,
                "redraw": self._redraw,
                "reroll": self._reroll,
                "mix": self._mix,
                "take": self._take,
            }.get(wish.get("does"))
            if does is None:
                raise ValueError("The page asked for something unknown: reload it.")
            yield from does(lab, wish)

    def _lock(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """Scales whose tokens stay from now on."""
        scales = range(len(lab.node.trace.schedule))
        yield SAME._replace(lab=replace(lab, locked=frozenset(wish["scales"]) & frozenset(scales)))

    def _goto(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        yield self._shown(lab.at(wish["node"]), READY)

    def _token(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """Where a token looks; then, if its model is loaded, what would become of the picture with another one."""
        scale, place, later, trace = wish["scale"], wish["place"], wish["later"], lab.node.trace
        more = bool(wish.get("pictures")) and labs.live(self.pipe, trace)
        told = partial(labs.told_token, lab, self.atlas, scale, place, later)
        yield SAME._replace(channel=told(None, more))
        if not more:
            return
        values = trace.likeliest[trace.schedule.spans[scale].start + place].tolist()
        pictures = []
        for few in (values[:AT_FIRST], values[AT_FIRST:]):  # the likeliest are there in half the time
            found = traces.alternatives(self.pipe, trace, lab.memory, scale, place, few, later, lab.pinned)
            pictures.extend(found)
            yield SAME._replace(channel=told(pictures, len(pictures) < len(values)))

    def _swap(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        trace, scale, place = labs.alive(self.pipe, lab), wish["scale"], wish["place"]
        asked = traces.swapped(trace, scale, place, wish["value"], wish["later"], lab.pinned)
        yield from self._branch(lab, asked, f"{_spot(trace, scale, place)} set to {wish['value']}")

    def _redraw(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        trace, scale, place, seed = labs.alive(self.pipe, lab), wish["scale"], wish["place"], int(controls.roll())
        asked = traces.redrawn_token(trace, scale, place, seed, wish["later"], lab.pinned)
        yield from self._branch(lab, asked, f"{_spot(trace, scale, place)} drawn anew, seed {seed}")

    def _reroll(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        trace, scale, seed = labs.alive(self.pipe, lab), wish["scale"], int(controls.roll())
        asked = traces.rerolled(trace, scale, seed, lab.pinned)
        yield from self._branch(lab, asked, f"from scale {scale + 1}, seed {seed}")

    def _mix(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """The coarse scales of this picture with the fine ones of another, or of another class, at every cut."""
        trace, number, seed = labs.alive(self.pipe, lab), wish.get("node"), None
        if number is not None:
            other = lab.at(number).node
            name, fine = other.title, other.trace
        else:
            fine = self.pipe.spec.label(controls.complete(self.pipe.spec, str(wish.get("class") or "")))
            name, seed = self.pipe.spec.class_name(fine), trace.about.seed
        yield SAME._replace(bar=runs.bar("Mixing …"))
        pictures, requests = traces.mixtures(self.pipe, trace, fine, seed)
        mixed = tuple((f"{cut} scales, then {name}", asked) for cut, asked in enumerate(requests))
        after = replace(lab, mixed=mixed)
        yield SAME._replace(bar=READY, lab=after, channel=labs.told_mix(after, name, pictures))

    def _take(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """One of the mixed pictures becomes the one that is looked at."""
        if not 0 <= wish["cut"] < len(lab.mixed):
            raise ValueError("That mix is no longer here: mix again.")
        title, asked = lab.mixed[wish["cut"]]
        yield from self._branch(lab, asked, title)

    def _branch(self, lab: Lab, asked: Request, title: str) -> Iterator[View]:
        """A picture that grows out of the one that is looked at."""
        origin = lab.node.trace.about.origin
        yield from self._drawn(lab, asked, origin, lambda made: lab.grown(title, made, lab.current))

    def _made(self, lab: Lab, asked: Request, title: str, origin: str) -> Iterator[View]:
        """A picture that grows out of none."""
        free = replace(lab, locked=frozenset(), mixed=())
        yield from self._drawn(free, asked, origin, lambda made: free.grown(title, made))

    def _drawn(self, lab: Lab, asked: Request, origin: str, grow: Callable[[Trace], Lab]) -> Iterator[View]:
        """Make a request's picture and its trace; a run of more than a moment says how far it is and can be stopped."""
        lab.brake.release()
        done, told = [], time.perf_counter()
        for one in timed(self.pipe, asked, lab.memory):
            done.append(one)
            if time.perf_counter() - told > SOON:
                told = time.perf_counter()
                yield SAME._replace(bar=_progress(done, self.pipe), **_buttons(True))
            if lab.brake.pulled:
                yield self.failed()._replace(bar=runs.bar("Stopped. The picture is as it was."))
                return
        trace = examine(self.pipe, asked, done, lab.memory, origin)
        spent, computed = sum(one.seconds for one in done), sum(one.seconds > 0 for one in done)
        words = f"{computed} of {len(done)} scales computed · {spent:.2f} s"
        yield self._shown(grow(trace), runs.bar(words, 1.0))

    def _shown(self, lab: Lab, bar: str) -> View:
        """The view of the picture that is looked at; the controls say what made it."""
        about = lab.node.trace.about
        subject = {}
        if about.origin == "drawn" and labs.live(self.pipe, lab.node.trace):
            subject = {"class_name": about.class_name, "seed": str(about.seed)}
        knobs = dict(zip(Drawing._fields, controls.shown_drawing(about.sampling), strict=True))
        told = labs.told(self.pipe, lab)
        return SAME._replace(bar=bar, channel=told, lab=lab, **_buttons(False), **subject, **knobs)

    def stop(self, lab: Lab | None) -> str:
        """End the run under way."""
        return parts.halt(lab.brake if lab else None)

    def failed(self) -> View:
        """After an error: all as it was."""
        return SAME._replace(bar=READY, channel=labs.idle(), **_buttons(False))

    def export(self, kind: str, lab: Lab | None) -> str:
        """The picture as a file."""
        with in_words():
            return labs.write(lab or Lab(), kind, runs.folder(self.cache))


def _buttons(running: bool) -> dict:
    run, stop = parts.buttons(running)
    return {"run": run, "stop": stop}


def _progress(done: list[Timed], pipe: Pipeline) -> str:
    scales = len(pipe.schedule)
    return runs.bar(f"scale {len(done)} of {scales}", len(done) / scales)


def _spot(trace: Trace, scale: int, place: int) -> str:
    """Where a token is, in words."""
    labs.check_place(trace, scale, place)
    side = trace.about.sides[scale]
    return f"scale {scale + 1}, row {place // side + 1}, column {place % side + 1}"


# ------------------------------------------------------------------------------------------------ wiring it


def tab(pipe: Pipeline, tabs: gr.Tabs, here: gr.Tab, create: Created, edited: Edited) -> None:
    """Lay out the tab, which stands in `here`, and wire it."""
    with gr.Row(elem_id="explore", elem_classes="tab"):
        with gr.Column(scale=3, min_width=320, elem_classes="settings"):
            source, drawing, export = _settings(pipe.spec)
        with gr.Column(scale=7, min_width=320, elem_classes="stage"):
            bar = gr.HTML(READY, elem_id="explore_bar")
            gr.HTML((FOLDER / "explorer.html").read_text(encoding="utf-8"), apply_default_css=False, elem_id="explorer")
    channel = gr.HTML(
        labs.hello(pipe.spec),
        html_template="<i></i>",
        js_on_load="explorer.connect((wish) => trigger('act', wish), watch, props);",
        visible="hidden",
    )
    view = View(bar, channel, gr.State(), source.run, source.stop, source.class_name, source.seed, *drawing)
    cache = source.shelf.GRADIO_CACHE
    Path(cache).mkdir(parents=True, exist_ok=True)
    handlers = Handlers(pipe, cache, labs.atlas_of(pipe))
    _wire_sources(handlers, view, source, drawing, here)
    _wire_acts(handlers, view, drawing, export)
    _wire_ways(handlers, tabs, view, create, edited)


def _settings(spec: ModelSpec) -> tuple[Source, Drawing, Export]:
    """The left column."""
    name, _, seed, *_ = controls.defaults(spec)
    with gr.Group(elem_id="explore_subject"):
        class_name = gr.Dropdown(
            controls.classes(spec, None),
            value=name,
            allow_custom_value=True,  # so that a misspelt class is answered with the nearest ones
            label="Class",
            info="What to draw, or what your picture shows.",
            elem_id="explore_class",
        )
        with gr.Row(elem_classes="seeds"):
            seed_box = gr.Textbox(seed, max_lines=1, label="Seed", elem_id="explore_seed")
        lock = gr.Checkbox(label="Keep this seed", info="Off: every draw rolls a new one.", elem_id="explore_lock")
    seed_box.input(lambda: True, None, lock, **AT_ONCE)
    run, stop = parts.actions("explore_")
    picture = gr.UploadButton("Open a picture of yours", size="sm", file_types=["image"], elem_id="explore_picture")
    gr.HTML("<p>Or look at one of these:</p>", apply_default_css=False, elem_classes="note")
    shelf = gr.Gallery(
        labs.thumbnails(labs.shipped()),
        show_label=False,
        columns=3,
        height="auto",
        allow_preview=False,
        interactive=False,
        format="png",
        buttons=[],
        elem_id="explore_shelf",
    )
    with gr.Accordion("How it draws", open=True, elem_id="explore_drawing"):
        gr.HTML("<p>Every knob acts at once, with the same seed.</p>", apply_default_css=False, elem_classes="note")
        drawing = parts.drawing(Sampling(), "explore_")
    with gr.Accordion("Save and open", open=True, elem_id="explore_files"):
        with gr.Row(elem_classes="tight"):
            gif, mp4, sheet = (
                gr.Button(text, size="sm", min_width=60, elem_id=f"explore_{name}")
                for name, text in (("gif", "GIF"), ("mp4", "MP4"), ("sheet", "Contact sheet"))
            )
        trace = gr.Button("Save the trace", size="sm", elem_id="explore_trace")
        file = gr.UploadButton("Open a trace", size="sm", file_types=[".safetensors"], elem_id="explore_file")
        ready = gr.DownloadButton(visible="hidden", elem_id="explore_ready")
    source = Source(class_name, seed_box, lock, run, stop, picture, file, shelf)
    return source, drawing, Export(gif, mp4, sheet, trace, ready)


def _wire_sources(handlers: Handlers, view: View, source: Source, drawing: Drawing, here: gr.Tab) -> None:
    shown, lab = list(view), view.lab
    here.select(handlers.enter, lab, shown, **AT_ONCE)
    asked = [lab, source.class_name, source.seed, source.lock, *drawing]
    _begin(handlers, view, source.run.click, handlers.draw, asked, shown)
    _begin(handlers, view, source.picture.upload, handlers.picture, [lab, source.picture, source.class_name], shown)
    _begin(handlers, view, source.file.upload, handlers.file, [lab, source.file], shown)
    source.shelf.select(handlers.example, lab, shown, **AT_ONCE)
    source.stop.click(handlers.stop, lab, view.bar, **AT_ONCE)


def _wire_acts(handlers: Handlers, view: View, drawing: Drawing, export: Export) -> None:
    act = partial(view.channel.act, trigger_mode="multiple")  # else what is clicked while another act runs is lost
    _begin(handlers, view, act, handlers.act, [view.lab], list(view))
    turned = [view.lab, *drawing]
    for knob in (drawing.guidance, drawing.temperature, drawing.top_p, drawing.smooth):
        _begin(handlers, view, partial(knob.input, trigger_mode="always_last"), handlers.turn, turned, list(view))
    for trigger in (drawing.top_k.submit, drawing.top_k.blur):  # while it is being typed it is no number yet
        _begin(handlers, view, trigger, handlers.turn, turned, list(view))
    for kind in labs.FILES:
        saved = getattr(export, kind).click(partial(handlers.export, kind), view.lab, export.file, **ON_MODEL)
        saved.success(None, None, None, js="() => document.querySelector('#explore_ready').click()")


def _wire_ways(handlers: Handlers, tabs: gr.Tabs, view: View, create: Created, edited: Edited) -> None:
    """The ways here from the other tabs."""
    button, done, place = edited
    stage, shown = create.stage, [tabs, *view]
    _begin(handlers, view, stage.explore.click, handlers.from_create, [stage.run, stage.chosen, view.lab], shown)
    _begin(handlers, view, button.click, handlers.from_edit, [done, place, view.lab], shown)


def _begin(handlers: Handlers, view: View, trigger: Callable, act: Callable, inputs: list, outputs: list) -> None:
    """Wire something that may use the model; after an error all is as it was."""
    trigger(act, inputs, outputs, **ON_MODEL).failure(handlers.failed, None, list(view), **AT_ONCE)
