"""The Edit tab: paint over a photo, and have that part repainted, drawn onward, or turned into something else."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import NamedTuple

import gradio as gr
import numpy as np
from PIL import Image

from var_core.canvas import FILLS
from var_core.config import ModelSpec
from var_core.edit import Edit, Settings, Stage, stages
from var_core.images import open_mask, open_photo
from var_core.pipeline import Pipeline
from var_core.recipe import Recipe
from var_core.sampling import Sampling

from . import controls, desk, parts, runs
from .desk import CHANGE, EXTEND, INPAINT, PIXELS, TASKS, UNITS, Desk, Done, Wish
from .parts import AT_ONCE, ON_MODEL, READY, Actions, Drawing, Seeding, buttons, halt, in_words, unchanged
from .runs import Brake

EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"
COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}  # of the results, by their number; else 4


class Choice(NamedTuple):
    """The widgets that say what to do."""

    task: gr.Radio
    class_name: gr.Dropdown
    unit: gr.Radio
    left: gr.Number
    top: gr.Number
    right: gr.Number
    bottom: gr.Number


class How(NamedTuple):
    """The widgets whose values make a `var_core.edit.Settings`, in the order of its fields."""

    fill: gr.Dropdown
    first_free_scale: gr.Slider
    min_cover: gr.Slider
    follow: gr.Checkbox
    match: gr.Checkbox
    grow: gr.Number
    feather: gr.Number
    context: gr.Slider
    harmonise: gr.Slider


class Masking(NamedTuple):
    """The widgets that change the mask."""

    invert: gr.Button
    clear: gr.Button
    undo: gr.Button
    pixels: gr.Number
    grow: gr.Button
    shrink: gr.Button
    upload: gr.UploadButton
    save: gr.Button
    file: gr.DownloadButton
    corners: gr.Textbox
    add: gr.Button
    clicks: gr.Image


class Sheet(NamedTuple):
    """The widgets that show an edit's results, then the edit itself and the result chosen.

    As values, in this order, it is also what a handler returns to change them.
    """

    bar: gr.HTML
    gallery: gr.Gallery
    after: gr.Row
    download: gr.DownloadButton
    mask: gr.DownloadButton
    compare: gr.ImageSlider
    inside: gr.HTML
    done: gr.State
    chosen: gr.State


class Table(NamedTuple):
    """The photo: on the canvas, in memory, and what lay there before."""

    canvas: gr.ImageEditor
    desk: gr.State
    past: gr.Gallery


@dataclass(frozen=True)
class Handlers:
    """What the widgets do, as functions of their values. They return new values in the order of the outputs."""

    pipe: Pipeline
    cache: str  # where Gradio serves files from

    def open_file(self, path: str, old: Desk | None, canvas: Mapping | None) -> tuple:
        """A photo from a file, onto the canvas."""
        with in_words():
            photo = open_photo(path)
        return self.shown(desk.fresh(Path(path).stem, photo, None, desk.past(old, canvas)))

    def shown(self, now: Desk) -> tuple:
        """The values of the `Table` for a desk."""
        return desk.on_canvas(now), now, gr.Gallery(desk.thumbnails(now), visible=bool(now.past))

    def example(self, old: Desk | None, canvas: Mapping | None, event: gr.SelectData) -> tuple:
        """An example with its mask."""
        photo = examples()[event.index]
        pixels = open_photo(photo)
        mask, _ = open_mask(mask_file(photo), pixels.shape[1::-1])
        return self.shown(desk.fresh(photo.stem, pixels, mask, desk.past(old, canvas)))

    def change_mask(self, act: str, now: Desk | None, canvas: Mapping | None, pixels: object) -> tuple:
        """Invert, clear, grow or shrink what is painted."""
        with in_words():
            here = needed(now)
            return self._masked(here, canvas, desk.changed(desk.painted_on(here, canvas), act, pixels))

    def _masked(self, now: Desk, canvas: Mapping | None, mask: np.ndarray) -> tuple:
        """The canvas and the desk with another mask."""
        after = desk.with_mask(now, canvas, mask)
        return desk.on_canvas(after), after

    def undo_mask(self, now: Desk | None) -> tuple:
        """The mask before the last change."""
        with in_words():
            before = desk.undone(needed(now))
        return desk.on_canvas(before), before

    def cleared(self, now: Desk | None) -> tuple:
        """After the editor's own bin, which also takes the photo: the photo again, with nothing painted."""
        if now is None:
            return gr.skip(), gr.skip()
        return self._masked(now, None, np.zeros_like(now.mask))

    def add_rectangle(self, now: Desk | None, canvas: Mapping | None, text: str) -> tuple:
        """Paint the rectangle that four numbers name."""
        with in_words():
            here = needed(now)
            numbers = [controls.whole("a corner", part) for part in text.replace(";", ",").split(",")]
            if len(numbers) != 4:
                raise ValueError("Type four numbers: left, top, right, bottom, in pixels of the photo.")
            corners = (tuple(numbers[:2]), tuple(numbers[2:]))
            return self._masked(here, canvas, desk.with_rectangle(desk.painted_on(here, canvas), corners))

    def click(self, now: Desk | None, canvas: Mapping | None, first: tuple | None, event: gr.SelectData) -> tuple:
        """The first click on the small photo is kept; the second paints the rectangle between both."""
        with in_words():
            here = needed(now)
            share = max(here.size) / min(desk.MOST_SHOWN, max(here.size))
            corner = tuple(int(value * share) for value in event.index)
            if first is None:
                return gr.skip(), gr.skip(), corner, f"{corner[0]}, {corner[1]}, now click the opposite corner"
            mask = desk.with_rectangle(desk.painted_on(here, canvas), (first, corner))
        return *self._masked(here, canvas, mask), None, ", ".join(map(str, (*first, *corner)))

    def load_mask(self, now: Desk | None, canvas: Mapping | None, path: str) -> tuple:
        """A mask from a file."""
        with in_words():
            here = needed(now)
            mask, found = open_mask(path, here.size)
        if found:
            gr.Info(f"The mask has {found[0]} x {found[1]} pixels, the photo {here.size[0]} x {here.size[1]}: resized.")
        return self._masked(here, canvas, mask)

    def save_mask(self, now: Desk | None, canvas: Mapping | None) -> str:
        """The mask as a file."""
        with in_words():
            here = needed(now)
            return desk.write_mask(here.name, desk.painted_on(here, canvas), runs.folder(self.cache))

    def outline(self, now: Desk | None, task: str, unit: str, *amounts: object) -> str:
        """The new canvas, drawn to scale; a word where the numbers are no good yet."""
        try:
            return desk.outline(now, desk.extension(now, unit, *amounts)) if now and task == EXTEND else ""
        except ValueError as error:
            return f"<p>{escape(str(error))}</p>"

    def ready(self, now: Desk | None, canvas: Mapping | None, lock: bool, *values: object) -> tuple:
        """Before a run: the edit and its brake, the seed it takes, the buttons of a run under way."""
        parts_of = (len(Choice._fields), len(How._fields), len(Drawing._fields))
        choice, how, drawing, (count, seed) = _split(values, *parts_of)
        choice = Choice(*choice)
        seed_used = seed if lock else controls.roll()
        with in_words():
            wish = Wish(
                choice.task,
                str(choice.class_name or ""),
                count,
                seed_used,
                controls.read_drawing(*drawing),
                read_settings(*how),
                desk.extension(now, choice.unit, *choice[3:]) if now and choice.task == EXTEND else (0, 0, 0, 0),
            )
            mask = desk.painted_on(now, canvas) if now else None
            edit = desk.asked(self.pipe.spec, now, mask, wish)
        return edit, Brake(), str(seed_used), runs.bar("Waiting for the model …"), *buttons(running=True)

    def watch(self, edit: Edit, brake: Brake, now: Desk) -> Iterator[Sheet]:
        """Do an edit; the sheet after each scale, and at the end. The brake ends it within a scale."""
        started, ends, scales = time.perf_counter(), [], len(self.pipe.schedule.sides)
        with in_words():
            for stage in stages(self.pipe, edit):
                if brake.pulled:
                    yield unchanged(Sheet)._replace(bar=runs.bar("Stopped. The photo is as it was."))
                    return
                seconds = time.perf_counter() - started
                if stage.photos:
                    ends.append(stage)
                shown = desk.live(stage, self._drawn(stage))
                yield unchanged(Sheet)._replace(
                    bar=desk.progress(stage, scales, seconds),
                    gallery=gr.Gallery(shown, columns=columns(edit), selected_index=None),
                    after=gr.Row(visible=False),
                    compare=gr.ImageSlider(visible=False),
                    inside="",
                    done=None,
                )
        done = desk.write(self.pipe, now.name, edit, ends, time.perf_counter() - started, self.cache)
        yield self._over(done)

    def _drawn(self, stage: Stage) -> np.ndarray:
        """What the model has drawn: decoded, or a cheap small picture of it where decoding would hold the run up."""
        if stage.photos:
            return stage.drawn
        f_hat = stage.step.f_hat
        if len(f_hat) * self.pipe.spec.tokenizer.image_side**2 <= runs.LIVE_PIXELS:
            return self.pipe.pixels(f_hat)
        return np.stack([np.asarray(picture) for picture in self.pipe.preview(f_hat)])

    def _over(self, done: Done) -> Sheet:
        """The sheet of an edit that has ended."""
        shown = [(file, f"seed {seed}") for file, seed in zip(done.files, done.edit.seeds, strict=True)]
        gallery = gr.Gallery(shown, columns=columns(done.edit), selected_index=None)
        chosen = self._chosen(done, 0)
        return Sheet(desk.summary(done), gallery, gr.Row(visible=True), *chosen, done, 0)

    def _chosen(self, done: Done, place: int) -> tuple:
        """What belongs to one result: its file, the mask's, the slider, what is inside."""
        inside = desk.masks_by_scale(done) + desk.raw(done, place)
        compare = gr.ImageSlider(desk.before_and_after(done, place), visible=True)
        return done.files[place], done.mask_file, compare, inside

    def choose(self, done: Done | None, event: gr.SelectData) -> tuple:
        """Another result: its file, the mask's, the slider, what is inside, its place."""
        if done is None or event.index >= len(done.files):
            return (gr.skip(),) * 5
        return *self._chosen(done, event.index), event.index

    def take(self, now: Desk, canvas: Mapping | None, done: Done, place: int) -> tuple:
        """Go on from a result: it becomes the photo."""
        return self.shown(desk.taken(now, canvas, done, place))

    def step_back(self, now: Desk, canvas: Mapping | None, event: gr.SelectData) -> tuple:
        """An earlier photo, with the mask that it had."""
        return self.shown(desk.back(now, canvas, event.index))

    def receive(self, run: runs.Run | None, chosen: int, old: Desk | None, canvas: Mapping | None) -> tuple:
        """A picture from the Create tab, and the way here."""
        if run is None:
            return (gr.skip(),) * 4
        file = Path(run.files[chosen])
        with in_words():
            photo = open_photo(file)
        now = desk.fresh(file.stem, photo, None, desk.past(old, canvas))
        return gr.Tabs(selected="edit"), *self.shown(now)

    def restore(self, path: str) -> tuple:
        """The settings in the recipe of an edited photo."""
        with in_words():
            recipe = Recipe.read(Path(path))
            recipe.check(self.pipe)
            if recipe.edited is None:
                raise ValueError("This picture is no edit: restore it in the Create tab.")
        gr.Info("Settings restored. Open the same photo and mask, and Run makes the same picture again.")
        extend, null = recipe.edited.extend, recipe.label == self.pipe.spec.transformer.null_label
        task = EXTEND if any(extend) else INPAINT if null else CHANGE
        name = gr.skip() if null else recipe.class_name
        drawing = controls.shown_drawing(recipe.sampling)
        return task, name, PIXELS, *extend, *shown_settings(recipe.edited.settings), *drawing, 1, str(recipe.seed), True


def needed(now: Desk | None) -> Desk:
    """The desk; ValueError if there is no photo on it."""
    if now is None:
        raise ValueError("There is no photo yet: open one, or choose an example.")
    return now


def read_settings(*values: object) -> Settings:
    """The `Settings` that values in the order of `How` ask for."""
    fill, first, cover, follow, match, grow, feather, context, harmonise = values
    return Settings(
        str(fill),
        controls.whole("first free scale", first) - 1,
        controls.number("free above", cover),
        bool(follow),
        bool(match),
        controls.whole("grow", grow),
        controls.whole("feather", feather),
        controls.number("context", context),
        controls.whole("harmonise", harmonise),
    )


def shown_settings(settings: Settings) -> tuple:
    """The inverse of `read_settings`."""
    s = settings
    seam = (s.match, s.grow, s.feather)
    return s.fill, s.first_free_scale + 1, s.min_cover, s.follow, *seam, s.context, s.harmonise


def _split(values: Sequence, *lengths: int) -> Iterator[Sequence]:
    """Values cut into pieces of these lengths, and the rest."""
    start = 0
    for length in lengths:
        yield values[start : start + length]
        start += length
    yield values[start:]


def columns(edit: Edit) -> int:
    return COLUMNS.get(len(edit.seeds), 4)


def examples() -> list[Path]:
    """Photos that come with the app; each has a mask beside it."""
    return [path for path in sorted(EXAMPLES.glob("*.png")) if mask_file(path).is_file()]


def mask_file(photo: Path) -> Path:
    return photo.with_name(f"{photo.stem}-mask.png")


# ------------------------------------------------------------------------------------------------ laying it out


def tab(pipe: Pipeline, tabs: gr.Tabs, create: object) -> None:
    """Lay out the tab and wire it; `tabs` holds it and the Create tab, whose `Stage` is `create`."""
    with gr.Row(elem_id="edit", elem_classes="tab"):
        with gr.Column(scale=3, min_width=320, elem_classes="settings"):
            opened, shelf, choice, outline, seeding, actions, masking, how, drawing, restore = _settings(pipe.spec)
        with gr.Column(scale=7, min_width=320, elem_classes="stage"):
            table, sheet, take, first = _stage()
    Path(table.canvas.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
    handlers = Handlers(pipe, table.canvas.GRADIO_CACHE)
    _wire_photo(handlers, table, opened, shelf, sheet, take)
    _wire_mask(handlers, table, masking, first)
    _wire_choice(handlers, table, choice, outline)
    _wire_runs(handlers, table, choice, how, drawing, seeding, actions, sheet)
    settings = [*choice, *how, *drawing, *seeding]
    restore.upload(handlers.restore, restore, settings, **AT_ONCE)
    sent = [tabs, *table]
    create.send.click(handlers.receive, [create.run, create.chosen, table.desk, table.canvas], sent, **AT_ONCE)


def _settings(spec: ModelSpec) -> tuple:
    """The left column."""
    opened = gr.UploadButton("Open a photo", variant="secondary", file_types=["image"], elem_id="open")
    shelf = gr.Gallery(
        [str(path) for path in examples()],
        label="Examples",
        columns=4,
        height="auto",
        allow_preview=False,
        interactive=False,
        visible=bool(examples()),
        elem_id="examples",
    )
    choice, outline = _choice(spec)
    seeding = parts.seeding("Variations", desk.MOST_VARIATIONS, 4, "edit_")
    actions = parts.actions("edit_")
    with gr.Accordion("Mask", open=False, elem_id="masking"):
        masking = _masking()
    with gr.Accordion("How it edits", open=False, elem_id="editing"):
        how = _how(spec)
    with gr.Accordion("How it draws", open=False, elem_id="edit_drawing"):
        drawing = parts.drawing(Sampling(), "edit_")
    restore = gr.UploadButton("Restore settings from a result", size="sm", file_types=["image"], elem_id="edit_restore")
    return opened, shelf, choice, outline, seeding, actions, masking, how, drawing, restore


def _choice(spec: ModelSpec) -> tuple[Choice, gr.HTML]:
    """What to do; only what a task needs is shown."""
    with gr.Group(elem_id="what"):
        task = gr.Radio(list(TASKS), value=INPAINT, show_label=False, elem_id="task", elem_classes="pills")
        hint = gr.HTML(f"<p>{desk.HINTS[INPAINT]}</p>", elem_id="hint")
        class_name = gr.Dropdown(
            controls.classes(spec, None)[: spec.transformer.classes],
            label="Class",
            info="What it becomes. Type to search.",
            allow_custom_value=True,
            visible=False,
            elem_id="into",
        )
        with gr.Column(visible=False, elem_id="sides") as sides:
            unit = gr.Radio(list(UNITS), value=PIXELS, show_label=False, elem_id="unit", elem_classes="pills")
            with gr.Row(elem_classes="tight"):
                numbers = [
                    gr.Number(0, label=name.capitalize(), minimum=0, min_width=60, elem_id=f"extend_{name}")
                    for name in desk.SIDES
                ]
            outline = gr.HTML(elem_id="outline")
    task.change(
        lambda chosen: (
            f"<p>{desk.HINTS[chosen]}</p>",
            gr.Dropdown(visible=chosen == CHANGE),
            gr.Column(visible=chosen == EXTEND),
        ),
        task,
        [hint, class_name, sides],
        **AT_ONCE,
    )
    return Choice(task, class_name, unit, *numbers), outline


def _masking() -> Masking:
    """Everything that changes the mask besides the brush."""
    with gr.Row(elem_classes="tight"):
        invert = gr.Button("Invert", size="sm", min_width=60, elem_id="invert")
        clear = gr.Button("Clear", size="sm", min_width=60, elem_id="clear")
        undo = gr.Button("Undo", size="sm", min_width=60, elem_id="undo")
    with gr.Row(elem_classes="tight"):
        pixels = gr.Number(8, label="Pixels", minimum=0, min_width=60, elem_id="mask_pixels")
        grow = gr.Button("Grow", size="sm", min_width=60, elem_id="grow")
        shrink = gr.Button("Shrink", size="sm", min_width=60, elem_id="shrink")
    corners = gr.Textbox(
        label="Rectangle", info="Left, top, right, bottom in pixels; or click two corners below.", elem_id="corners"
    )
    add = gr.Button("Add the rectangle", size="sm", elem_id="add")
    clicks = gr.Image(
        show_label=False, interactive=False, format="png", buttons=[], height=160, visible=False, elem_id="clicks"
    )
    with gr.Row(elem_classes="tight"):
        upload = gr.UploadButton("Load a mask", size="sm", min_width=60, file_types=["image"], elem_id="load_mask")
        save = gr.Button("Save the mask", size="sm", min_width=60, elem_id="save_mask")
    file = gr.DownloadButton(visible="hidden", elem_id="mask_file")
    return Masking(invert, clear, undo, pixels, grow, shrink, upload, save, file, corners, add, clicks)


def _how(spec: ModelSpec) -> How:
    """How an edit is done, in the order of `Settings`."""
    usual, scales = Settings(), len(spec.tokenizer.sides)
    fill = gr.Dropdown(
        list(FILLS), value=usual.fill, label="Fill", info="What the hole holds while it is encoded.", elem_id="fill"
    )
    first = parts.slider(
        "First free scale", "Scales before it keep the photo's layout.", (1, scales), usual.first_free_scale + 1, 1
    )
    cover = parts.slider("Free above", "Share of a cell that must be painted.", (0, 1), usual.min_cover, 0.05)
    follow = gr.Checkbox(
        usual.follow, label="Follow", info="Kept parts correct what their neighbours spill.", elem_id="follow"
    )
    match = gr.Checkbox(usual.match, label="Match colours", info="No step at the seam.", elem_id="match")
    grow = gr.Number(usual.grow, label="Grow", info="Pixels added around the mask.", elem_id="mask_grow")
    feather = gr.Number(usual.feather, label="Feather", info="Pixels over which the edge blends.", elem_id="feather")
    context = parts.slider(
        "Context", "How much around the mask the model sees, in its size.", (1, 6), usual.context, 0.25
    )
    harmonise = parts.slider(
        "Harmonise", "A second pass along the seam, so wide; 0 is off.", (0, 32), usual.harmonise, 1
    )
    return How(fill, first, cover, follow, match, grow, feather, context, harmonise)


def _stage() -> tuple[Table, Sheet, gr.Button, gr.State]:
    """The right column."""
    canvas = gr.ImageEditor(
        label="Painted = will be repainted",
        sources=(),
        transforms=(),
        layers=False,
        format="png",
        brush=gr.Brush(
            default_size=40, colors=[("#ff2d78", 0.55)], default_color=("#ff2d78", 0.55), color_mode="fixed"
        ),
        eraser=gr.Eraser(default_size=40),
        canvas_size=(768, 512),
        height="min(640px, 62vh)",
        placeholder="Open a photo, or choose an example.",
        buttons=["fullscreen"],
        elem_id="canvas",
    )
    past = gr.Gallery(
        label="Before that: click to step back",
        columns=8,
        height="auto",
        allow_preview=False,
        interactive=False,
        visible=False,
        format="png",
        elem_id="past",
    )
    bar = gr.HTML(READY, elem_id="edit_bar")
    gallery = gr.Gallery(
        format="png",
        show_label=False,
        interactive=False,
        object_fit="contain",
        columns=1,
        height="auto",
        buttons=["download", "fullscreen"],
        elem_id="results",
    )
    with gr.Row(visible=False, elem_classes="after") as after:
        download = gr.DownloadButton("Download PNG", size="sm", elem_id="edit_download")
        mask = gr.DownloadButton("Download mask", size="sm", elem_id="edit_mask")
        take = gr.Button("Use as input", size="sm", elem_id="take")
    compare = gr.ImageSlider(
        label="Before and after", format="png", visible=False, interactive=False, elem_id="compare"
    )
    inside = gr.HTML(elem_id="inside")
    sheet = Sheet(bar, gallery, after, download, mask, compare, inside, gr.State(), gr.State(0))
    return Table(canvas, gr.State(), past), sheet, take, gr.State()


# ------------------------------------------------------------------------------------------------ wiring it


def _wire_photo(
    handlers: Handlers, table: Table, opened: gr.UploadButton, shelf: gr.Gallery, sheet: Sheet, take: gr.Button
) -> None:
    here = [table.desk, table.canvas]
    opened.upload(handlers.open_file, [opened, *here], list(table), **AT_ONCE)
    shelf.select(handlers.example, here, list(table), **AT_ONCE)
    take.click(handlers.take, [*here, sheet.done, sheet.chosen], list(table), **AT_ONCE)
    table.past.select(handlers.step_back, here, list(table), **AT_ONCE)
    chosen = [sheet.download, sheet.mask, sheet.compare, sheet.inside, sheet.chosen]
    sheet.gallery.select(handlers.choose, sheet.done, chosen, **AT_ONCE)


def _wire_mask(handlers: Handlers, table: Table, masking: Masking, first: gr.State) -> None:
    here, both = [table.desk, table.canvas], [table.canvas, table.desk]
    for act in ("invert", "clear", "grow", "shrink"):
        act_now = partial(handlers.change_mask, act)
        getattr(masking, act).click(act_now, [*here, masking.pixels], both, **AT_ONCE)
    masking.add.click(handlers.add_rectangle, [*here, masking.corners], both, **AT_ONCE)
    masking.undo.click(handlers.undo_mask, table.desk, both, **AT_ONCE)
    table.canvas.clear(handlers.cleared, table.desk, both, **AT_ONCE)
    masking.clicks.select(handlers.click, [*here, first], [*both, first, masking.corners], **AT_ONCE)
    masking.upload.upload(handlers.load_mask, [*here, masking.upload], both, **AT_ONCE)
    saved = masking.save.click(handlers.save_mask, here, masking.file, **AT_ONCE)
    saved.success(None, None, None, js="() => document.querySelector('#mask_file').click()")
    table.desk.change(_small, table.desk, [masking.clicks, first], **AT_ONCE)


def _small(now: Desk | None) -> tuple:
    """The photo to click two corners on."""
    if now is None:
        return gr.Image(visible=False), None
    picture = Image.fromarray(now.photo)
    picture.thumbnail((desk.MOST_SHOWN, desk.MOST_SHOWN))
    return gr.Image(picture, visible=True), None


def _wire_choice(handlers: Handlers, table: Table, choice: Choice, outline: gr.HTML) -> None:
    numbers = [choice.unit, choice.left, choice.top, choice.right, choice.bottom]
    for widget in (choice.task, *numbers, table.desk):
        widget.change(handlers.outline, [table.desk, choice.task, *numbers], outline, **AT_ONCE)


def _wire_runs(
    handlers: Handlers,
    table: Table,
    choice: Choice,
    how: How,
    drawing: Drawing,
    seeding: Seeding,
    actions: Actions,
    sheet: Sheet,
) -> None:
    edit, brake = gr.State(), gr.State()
    asked = [table.desk, table.canvas, seeding.lock, *choice, *how, *drawing, seeding.count, seeding.seed]

    def begin(trigger: Callable) -> None:
        prepared = trigger(handlers.ready, asked, [edit, brake, seeding.seed, sheet.bar, *actions], **AT_ONCE)
        running = prepared.success(handlers.watch, [edit, brake, table.desk], list(sheet), **ON_MODEL)
        running.then(partial(buttons, running=False), None, list(actions), **AT_ONCE)

    begin(actions.run.click)
    actions.stop.click(halt, brake, sheet.bar, **AT_ONCE)
