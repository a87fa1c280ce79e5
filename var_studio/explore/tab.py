"""The Explore tab: step through the scales of a picture, look inside, and change one token or one scale."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from var_core.config import NO_CLASS, ModelSpec
from var_core.engine.pipeline import Pipeline, Request
from var_core.engine.sampling import Sampling
from var_core.images import flat
from var_core.images import opened as opened_file
from var_core.inspection import trace as traces
from var_core.inspection.trace import Trace, examine, timed

from ..create.tab import Created
from ..edit.tab import Edited
from ..edit.workspace import Done
from ..shared import controls
from ..shared import run as runs
from ..shared import widgets as parts
from ..shared.models import Models
from ..shared.static import FOLDER
from ..shared.widgets import AT_ONCE, ON_MODEL, READY, Drawing, Renewal, in_words, unchanged
from . import session as labs
from .session import Inquiry, Lab, Made

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
    ramp: gr.Slider
    temperature: gr.Slider
    cooling: gr.Slider
    top_k: gr.Number
    top_p: gr.Slider
    smooth: gr.Checkbox
    unguided_scales: gr.Slider


SAME = unchanged(View)


@dataclass(frozen=True)
class Handlers:
    """What the widgets do, as functions of their values. They return new values in the order of the outputs.

    A generator always yields, if only `SAME`: else Gradio would empty all outputs.
    """

    models: Models
    cache: str  # where Gradio serves files from

    @property
    def pipe(self) -> Pipeline:
        return self.models.pipe

    def enter(self, lab: Lab) -> View:
        """Coming here for the first time: something to look at."""
        paths = labs.shipped()
        return SAME if lab.nodes or not paths else self._shipped(lab, 0)

    def draw(self, lab: Lab, class_name: str, seed: str, lock: bool, *drawing: object) -> Iterator[View]:
        """Draw a picture of a class."""
        with in_words():
            asked = controls.read(self.pipe.spec, class_name, 1, seed if lock else controls.roll(), *drawing)
        name, _, seed_used, *_ = controls.show(self.pipe.spec, asked)
        yield from self._drawn(_afresh(lab), asked, Made(f"{name}, seed {seed_used}", name), "drawn")

    def picture(self, lab: Lab, path: str, class_name: str) -> Iterator[View]:
        """A picture of the user's own, as the model sees it: its tokens, and how likely they were."""
        with in_words():
            with opened_file(path, "picture") as image:
                photo = flat(image)
            tokens = self.pipe.encode(photo)
            label = self.pipe.spec.label(controls.complete(self.pipe.spec, str(class_name or "")))
            asked = traces.given_request(tokens, label, Sampling(guidance=0.0))
        yield from self._drawn(_afresh(lab), asked, Made(Path(path).stem, Path(path).stem), "opened")

    def file(self, lab: Lab, path: str) -> View:
        """A trace from a file."""
        with in_words():
            trace = Trace.load(Path(path))
        stem = Path(path).stem
        return self._looked_at(lab, trace, stem, trace.about.class_name if trace.about.origin == "drawn" else stem)

    def example(self, lab: Lab, event: gr.SelectData) -> View:
        """A trace that comes with the app."""
        return self._shipped(lab, event.index)

    def _shipped(self, lab: Lab, number: int) -> View:
        with in_words():
            trace = Trace.load(labs.shipped()[number])
        return self._looked_at(lab, trace, trace.about.class_name, trace.about.class_name)

    def _looked_at(self, lab: Lab, trace: Trace, title: str, name: str) -> View:
        """A trace that was not made just now."""
        made = Made(title, name, photo=trace.keep if trace.about.origin == "edited" else None)
        return self._shown(_afresh(lab).grown(made, trace, runs.folder(self.cache)), READY)

    def from_create(self, run: runs.Run | None, chosen: int, lab: Lab) -> Iterator:
        """A picture of the Create tab, and the way here."""
        if run is None:
            yield gr.skip(), *SAME
            return
        with in_words():
            self.models.require(run.digest)
            if not run.complete(chosen):
                raise ValueError("This picture has not all its scales: run it to the end, then look inside.")
        asked = runs.alone(run, chosen)
        name = self.pipe.spec.class_name(asked.labels[0])
        made = Made(f"{name}, seed {asked.seeds[0]}", name)
        yield from self._entered(self._drawn(_afresh(lab), asked, made, "drawn"))

    def from_edit(self, done: Done | None, place: int, lab: Lab) -> Iterator:
        """What the model drew in the last square of an edit, and the way here."""
        if done is None or not done.squares or place < 0:
            yield gr.skip(), *SAME
            return
        with in_words():
            self.models.require(done.digest)
        asked = labs.of_edit(done, place)
        made = Made(f"{done.name}, edited", done.name, photo=asked.plan.kept[0])
        yield from self._entered(self._drawn(_afresh(lab), asked, made, "edited"))

    def _entered(self, views: Iterator[View]) -> Iterator:
        """The way here from another tab, then what there is to see."""
        yield gr.Tabs(selected="explore"), *SAME._replace(bar=runs.bar("Looking inside …"))
        for view in views:
            yield gr.skip(), *view

    def from_photo(self, path: str | None, lab: Lab) -> Iterator:
        """A picture of the Learn tab, whatever it shows, and the way here."""
        if path is None:
            yield gr.skip(), *SAME
            return
        yield from self._entered(self.picture(lab, path, NO_CLASS))

    def from_race(self, asked: Request | None, digest: str, lab: Lab) -> Iterator:
        """What won a race of the Learn tab, if the model that did is loaded, and the way here."""
        if asked is None:
            yield gr.skip(), *SAME
            return
        with in_words():
            self.models.require(digest)
        name = self.pipe.spec.class_name(asked.labels[0])
        yield from self._entered(
            self._drawn(_afresh(lab), asked, Made(f"{name}, seed {asked.seeds[0]}", name), "drawn")
        )

    def turn(self, lab: Lab, *drawing: object) -> Iterator[View]:
        """Draw the same again with other settings; only what changes is computed. The knobs stay as they are."""
        yield SAME
        if not lab.nodes:
            return
        with in_words():
            sampling = controls.read_drawing(*drawing)
            if sampling == lab.trace.about.sampling:
                return
            trace = labs.alive(self.pipe, lab)
            asked = traces.resampled(trace, sampling, lab.pinned)
        for view in self._drawn(lab, asked, lab.turn(", ".join(sampling.words())), _origin(trace, asked)):
            yield view._replace(**dict.fromkeys(Drawing._fields, gr.skip()))

    def act(self, lab: Lab, event: gr.EventData) -> Iterator[View]:
        """Whatever was done on the page's own view."""
        wish = event._data if isinstance(event._data, Mapping) else {}
        acts = {
            "lock": self._lock,
            "goto": self._goto,
            "token": self._token,
            "options": self._options,
            "swap": self._swap,
            "redraw": self._redraw,
            "reroll": self._reroll,
            "mix": self._mix,
            "take": self._take,
        }
        with in_words():
            does = acts.get(str(wish.get("does")))
            if does is None:
                raise ValueError("The page asked for something unknown: reload it.")
            yield from does(lab, wish)

    def _lock(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """A scale is locked from now on, or no longer."""
        scale = labs.whole(wish, "scale")
        after = replace(lab, locked=lab.locked ^ ({scale} & set(range(len(lab.seen.schedule)))))
        yield SAME._replace(lab=after, channel=labs.told_locked(after))

    def _goto(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        yield self._shown(lab.at(wish.get("node")), READY)

    def _token(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """Where a token looks, and whether it can be asked what else could have been there."""
        trace = lab.seen
        inquiry = Inquiry(lab, labs.spot_of(trace, wish))
        more = labs.live(self.pipe, trace) and not trace.about.sampling.smooth
        yield SAME._replace(channel=inquiry.told(self.models.atlas, more))

    def _options(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """What would become of the picture with another token, one after another, until the page wants no more."""
        trace, number, later = labs.alive(self.pipe, lab), labs.whole(wish, "number"), wish.get("later")
        inquiry = Inquiry(lab, labs.spot_of(trace, wish))
        values = trace.likeliest[inquiry.spot.within(trace)].tolist()
        memory, known, began, slow = self.models.slot.of(lab.stop_flag), 0, time.perf_counter(), False
        for batch in traces.alternatives(self.pipe, trace, memory, inquiry.spot, values, later, lab.pinned):
            if not lab.inquiries.wanted(number):
                break
            slow = slow or time.perf_counter() - began > SOON
            bar = runs.bar("what else it could have been", batch.share) if slow else gr.skip()
            told = gr.skip()
            if len(batch.pictures) > known:
                known = len(batch.pictures)
                told = inquiry.offered(later, batch.pictures, known < len(values))
            yield SAME._replace(bar=bar, channel=told)
        if known < len(values):
            yield self.failed()
        elif slow:
            yield SAME._replace(bar=READY)

    def hush(self, lab: Lab, event: gr.EventData) -> None:
        """The page wants no answer any more to a question, and to none before it."""
        wish = event._data if isinstance(event._data, Mapping) else {}
        with in_words():
            lab.inquiries.drop(labs.whole(wish, "number"))

    def _swap(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        trace = labs.alive(self.pipe, lab)
        spot, value = labs.spot_of(trace, wish), labs.whole(wish, "value")
        asked = traces.swapped(trace, spot, value, wish.get("later"), lab.pinned)
        yield from self._branch(lab, asked, f"{labs.whereabouts(trace, spot)} set to {value}")

    def _redraw(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        trace, seed = labs.alive(self.pipe, lab), int(controls.roll())
        spot = labs.spot_of(trace, wish)
        asked = traces.redrawn_token(trace, spot, seed, wish.get("later"), lab.pinned)
        yield from self._branch(lab, asked, f"{labs.whereabouts(trace, spot)} drawn anew, seed {seed}")

    def _reroll(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        trace, scale, seed = labs.alive(self.pipe, lab), labs.whole(wish, "scale"), int(controls.roll())
        asked = traces.rerolled(trace, scale, seed, lab.pinned)
        if _kept(asked):
            raise ValueError("All tokens from there on are locked, or a photo's: unlock a scale to draw it anew.")
        yield from self._branch(lab, asked, f"from scale {scale + 1}, seed {seed}")

    def _mix(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """The coarse scales of this picture with the fine ones of another, or of another class, at every cut."""
        trace = labs.alive(self.pipe, lab)
        if wish.get("node") is not None:
            node = lab.named(wish["node"])
            name, fine = node.title, Trace.load(node.file)
        else:
            fine = self.pipe.spec.label(controls.complete(self.pipe.spec, str(wish.get("class") or "")))
            name = self.pipe.spec.class_name(fine)
        requests = traces.mixture_requests(self.pipe, trace, fine, lab.pinned)
        coarse = ["all", "1 scale, then", *(f"{cut} scales, then" for cut in range(2, len(requests)))]
        after = replace(lab, mixed=tuple((f"{kept} {name}", one) for kept, one in zip(coarse, requests, strict=True)))
        lab.stop_flag.clear()
        for batch in traces.mixtures(self.pipe, requests):
            if lab.stop_flag.is_set():
                break
            words = runs.bar(f"mixing with {name}", batch.share)
            told = labs.told_mix(after, name, batch.pictures, batch.share < 1)
            yield SAME._replace(bar=words, lab=after, channel=told, **_buttons(True))
        yield self.failed()

    def _take(self, lab: Lab, wish: Mapping) -> Iterator[View]:
        """One of the mixed pictures becomes the one that is looked at."""
        cut = labs.whole(wish, "cut")
        if not 0 <= cut < len(lab.mixed):
            raise ValueError("That mix is no longer here: mix again.")
        title, asked = lab.mixed[cut]
        labs.alive(self.pipe, lab)
        yield from self._branch(lab, asked, title)

    def _branch(self, lab: Lab, asked: Request, title: str) -> Iterator[View]:
        """A picture that grows out of the one that is looked at."""
        yield from self._drawn(lab, asked, lab.branch(title), _origin(lab.trace, asked))

    def _drawn(self, lab: Lab, asked: Request, made: Made, origin: str) -> Iterator[View]:
        """Make a request's picture and its trace; a run of more than a moment says how far it is and can be stopped."""
        lab.stop_flag.clear()
        done, said, memory = [], time.perf_counter(), self.models.slot.of(lab.stop_flag)
        # of a large model decoding takes longer than most scales
        patience = SOON if self.pipe.spec.tokenizer.image_side**2 <= runs.LIVE_PIXELS else 0.0
        with in_words():
            for one in timed(self.pipe, asked, memory):
                done.append(one)
                if lab.stop_flag.is_set():
                    yield self.failed()._replace(bar=runs.bar("Stopped. The picture is as it was."))
                    return
                if time.perf_counter() - said > patience:
                    said = time.perf_counter()
                    scales = len(self.pipe.schedule)
                    words = runs.bar(f"scale {len(done)} of {scales}", len(done) / scales)
                    yield SAME._replace(bar=words, **_buttons(True))
                traces.picture(self.pipe, one.step, memory)
            trace = examine(self.pipe, asked, done, memory, origin)
        spent, computed = sum(one.seconds for one in done), sum(one.seconds > 0 for one in done)
        words = f"{computed} of {len(done)} scales computed · {spent:.2f} s"
        if _kept(asked) and (made.turned or made.parent is None):
            words = "All tokens are kept: the settings change only what the model thinks of them."
        yield self._shown(lab.grown(made, trace, runs.folder(self.cache)), runs.bar(words, 1.0))

    def _shown(self, lab: Lab, bar: str) -> View:
        """The view of the picture that is looked at; where they can, the controls say what made it."""
        about, subject = lab.trace.about, {}
        if labs.live(self.pipe, lab.trace):
            subject["class_name"] = about.class_name
            if not lab.trace.keep.any():  # else the seed alone does not make it again
                subject["seed"] = str(about.seed)
        if about.origin != "opened":  # what was not drawn says nothing of how to draw
            subject |= dict(zip(Drawing._fields, controls.shown_drawing(about.sampling), strict=True))
        return SAME._replace(bar=bar, channel=labs.told(self.pipe, lab), lab=lab, **_buttons(False), **subject)

    def stop(self, lab: Lab) -> str:
        """End the run under way."""
        return parts.halt(lab.stop_flag)

    def renew(self) -> tuple:
        """Class, what the page knows, and knobs for the model that is loaded."""
        name, *_ = controls.defaults(self.pipe.spec)
        chosen = gr.Dropdown(controls.choices(self.pipe.spec, None), value=name)
        return chosen, labs.hello(self.pipe), *controls.shown_drawing(self.models.looks)

    def failed(self) -> View:
        """After an error, or at the end of what left no picture: all as it was."""
        return SAME._replace(bar=READY, channel=labs.idle(), **_buttons(False))

    def export(self, kind: str, lab: Lab) -> str:
        """The picture as a file."""
        with in_words():
            return labs.write(lab, kind, runs.folder(self.cache))


def _afresh(lab: Lab) -> Lab:
    """The lab before a picture that grows out of none."""
    return replace(lab, locked=frozenset(), mixed=())


def _kept(asked: Request) -> bool:
    """Whether all tokens of a request are given."""
    return asked.plan is not None and bool(asked.plan.kept.all())


def _origin(before: Trace, asked: Request) -> str:
    """What a picture is that comes from another: one that was opened is drawn as soon as anything in it is."""
    return "drawn" if before.about.origin == "opened" and not _kept(asked) else before.about.origin


def _buttons(running: bool) -> dict:
    run, stop = parts.buttons(running)
    return {"run": run, "stop": stop}


# ------------------------------------------------------------------------------------------------ wiring it


class Explored(NamedTuple):
    """What others use of this tab: how to wire what opens a photo's path here, and what won a race."""

    renewal: Renewal
    opens_photo: Callable
    opens_race: Callable


def tab(models: Models, tabs: gr.Tabs, here: gr.Tab, create: Created, edited: Edited) -> Explored:
    """Lay out the tab, which stands in `here`, and wire it."""
    with gr.Row(elem_id="explore", elem_classes="tab"):
        with gr.Column(scale=3, min_width=320, elem_classes="settings"):
            source, drawing, reset, export = _settings(models.pipe.spec, lambda: models.looks)
        with gr.Column(scale=7, min_width=320, elem_classes="stage"):
            bar = gr.HTML(READY, elem_id="explore_bar")
            gr.HTML((FOLDER / "explorer.html").read_text(encoding="utf-8"), apply_default_css=False, elem_id="explorer")
    channel = gr.HTML(
        labs.hello(models.pipe),
        html_template="<i></i>",
        js_on_load="explorer.connect((wish) => trigger('act', wish), (wish) => trigger('hush', wish), watch, props);",
        visible="hidden",
    )
    # a value, not None: each visitor gets a copy with a stop flag of its own
    view = View(bar, channel, gr.State(Lab()), source.run, source.stop, source.class_name, source.seed, *drawing)
    Path(source.shelf.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
    handlers = Handlers(models, source.shelf.GRADIO_CACHE)
    _wire_sources(handlers, view, source, drawing, here)
    _wire_acts(handlers, view, drawing, reset, export)
    _wire_ways(handlers, tabs, view, create, edited)
    ways = (partial(_wire_way, handlers, tabs, view, act) for act in (handlers.from_photo, handlers.from_race))
    return Explored(Renewal(handlers.renew, [view.class_name, view.channel, *drawing]), *ways)


def _settings(spec: ModelSpec, looks: Callable[[], Sampling]) -> tuple[Source, Drawing, Callable, Export]:
    """The left column, with the knobs at what `looks` best; third, what happens when they are reset."""
    name, *_ = controls.defaults(spec)
    with gr.Group(elem_id="explore_subject"):
        info = "What to draw, or what your picture shows."
        class_name = parts.subject(controls.choices(spec, None), name, info, "explore_class")
        chance = parts.chance("Where chance starts.", "explore_")
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
        drawing, reset = parts.drawing(looks, "explore_")
    with gr.Accordion("Save and open", open=True, elem_id="explore_files"):
        export, file = _files()
    source = Source(class_name, *chance, run, stop, picture, file, shelf)
    return source, drawing, reset, export


def _files() -> tuple[Export, gr.UploadButton]:
    """What saves the picture, and what opens a trace."""
    with gr.Row(elem_classes="tight"):
        gif, mp4, sheet = (
            gr.Button(text, size="sm", min_width=60, elem_id=f"explore_{name}")
            for name, text in (("gif", "GIF"), ("mp4", "MP4"), ("sheet", "Contact sheet"))
        )
    trace = gr.Button("Save the trace", size="sm", elem_id="explore_trace")
    file = gr.UploadButton("Open a trace", size="sm", file_types=[".safetensors"], elem_id="explore_file")
    ready = gr.DownloadButton(visible="hidden", elem_id="explore_ready")
    return Export(gif, mp4, sheet, trace, ready), file


def _wire_sources(handlers: Handlers, view: View, source: Source, drawing: Drawing, here: gr.Tab) -> None:
    shown, lab = list(view), view.lab
    _begin(handlers, view, here.select, handlers.enter, [lab], shown)
    asked = [lab, source.class_name, source.seed, source.lock, *drawing]
    _begin(handlers, view, source.run.click, handlers.draw, asked, shown)
    _begin(handlers, view, source.picture.upload, handlers.picture, [lab, source.picture, source.class_name], shown)
    _begin(handlers, view, source.file.upload, handlers.file, [lab, source.file], shown)
    _begin(handlers, view, source.shelf.select, handlers.example, [lab], shown)
    source.stop.click(handlers.stop, lab, view.bar, **AT_ONCE)


def _wire_acts(handlers: Handlers, view: View, drawing: Drawing, reset: Callable, export: Export) -> None:
    act = partial(view.channel.act, trigger_mode="multiple")  # else what is clicked while another act runs is lost
    _begin(handlers, view, act, handlers.act, [view.lab], list(view))
    view.channel.hush(handlers.hush, view.lab, None, trigger_mode="multiple", **AT_ONCE)
    # of a knob that is being turned only the last place counts; a number that is being typed is none yet
    sliders = [knob for knob in drawing if isinstance(knob, gr.Slider)]
    moves = [*(knob.input for knob in (*sliders, drawing.smooth)), *(knob.release for knob in sliders)]
    turns = [partial(move, trigger_mode="always_last") for move in moves]
    for trigger in (*turns, drawing.top_k.submit, drawing.top_k.blur, reset):
        _begin(handlers, view, trigger, handlers.turn, [view.lab, *drawing], list(view))
    for kind in labs.SUFFIXES:
        saved = getattr(export, kind).click(partial(handlers.export, kind), view.lab, export.file, **ON_MODEL)
        saved.success(None, None, None, js="() => document.querySelector('#explore_ready').click()")


def _wire_ways(handlers: Handlers, tabs: gr.Tabs, view: View, create: Created, edited: Edited) -> None:
    """The ways here from the tabs before this one."""
    way, stage = partial(_wire_way, handlers, tabs, view), create.stage
    way(handlers.from_create, stage.explore.click, [stage.run, stage.chosen])
    way(handlers.from_edit, edited.explore.click, [edited.done, edited.chosen])


def _wire_way(handlers: Handlers, tabs: gr.Tabs, view: View, act: Callable, trigger: Callable, inputs: list) -> None:
    """A way here from another tab."""
    _begin(handlers, view, trigger, act, [*inputs, view.lab], [tabs, *view])


def _begin(handlers: Handlers, view: View, trigger: Callable, act: Callable, inputs: list, outputs: list) -> None:
    """Wire something that changes the lab: one after another, so that none is lost. After an error all is as it was."""
    trigger(act, inputs, outputs, **ON_MODEL).failure(handlers.failed, None, list(view), **AT_ONCE)
