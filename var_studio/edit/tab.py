"""The Edit tab: paint over a photo, and have that part repainted, drawn onward, or turned into something else."""

from functools import partial
from pathlib import Path

import gradio as gr

from ..shared.events import AT_ONCE, REPEATED, Renewal, Trigger, Widgets, buttons, halt, wire
from ..shared.handover import CreateHandover, EditHandover, Giving
from ..shared.left_runs import LeftRuns
from ..shared.models import Models
from ..shared.on_model import wire_in_turns
from ..shared.visitor_files import VisitorFiles
from . import form as forms
from . import layout, mask_tools
from . import sheet as sheets
from .asking_handlers import AskingHandlers
from .giving import pictures_of
from .layout import Choice, Controls, Masking, ResultButtons, Sheet, Table
from .photo_handlers import PhotoHandlers
from .result_handlers import ResultHandlers
from .results import EditResult
from .run_handlers import EditRunHandlers
from .shaping import shaping_row, wire_shaping


def tab(models: Models, files: VisitorFiles, tabs: gr.Tabs, create: CreateHandover) -> EditHandover:
    """Lay out the tab and wire it; `tabs` holds it and the Create tab."""
    with gr.Row(elem_id="edit", elem_classes="tab"):
        with gr.Column(scale=3, min_width=320, elem_classes="settings"):
            given = layout.left_column(
                models.pipe.spec,
                lambda: models.filling_sampling,
                models.pipe.masked is not None,
                models.limits.variations,
            )
        with gr.Column(scale=7, min_width=320, elem_classes="stage"):
            shaping = shaping_row()
            table, sheet, onward = layout.right_column(files)
    Path(table.canvas.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
    cache = table.canvas.GRADIO_CACHE
    photos, runs = PhotoHandlers(cache, files), EditRunHandlers(models, cache, files)
    asking, laid = AskingHandlers(models), [*table, given.choice.box]
    _wire_photo(photos, runs, table, given, sheet, onward.take)
    _wire_mask(photos, table, given.masking, given.choice.box)
    wire_shaping(photos, table, shaping)
    _wire_choice(runs, table, given.choice, given.outline)
    _wire_guessing(photos, asking, table, given, sheet.bar)
    _wire_usual_draw(asking, given)
    # on input, not on change: what was restored stays
    wire(given.choice.task.input, forms.usual_settings, [given.choice.task, given.settings], [given.settings], AT_ONCE)
    left = LeftRuns(lambda update: found if isinstance(found := update.result, EditResult) else None)
    _wire_runs(runs, left, table, given, sheet)
    results, asked = ResultHandlers(models), _asked(given)
    _wire_results(results, table, given, sheet, onward)
    wire(given.restore.upload, runs.restore, [given.restore, table.workspace], asked, AT_ONCE)
    here = [table.workspace, table.canvas]
    create.send.click(photos.receive, [create.run, create.chosen, *here], [tabs, *laid], **AT_ONCE)
    wire(onward.send.click, runs.send_back, [sheet.result, sheet.chosen], [tabs, *create.controls], AT_ONCE)
    renewed: list[Widgets] = [
        given.choice.class_name,
        given.settings["first_free_scale"],
        given.settings["shown"],
        given.guessing.answers,
        given.sampling,
    ]
    taken, look = [tabs, *asked, table.canvas, table.workspace], given.masking.mask_look

    def uses(trigger: Trigger, shown: gr.State) -> None:
        wire(trigger, results.take, [shown, *here], taken, AT_ONCE)

    def opens(trigger: Trigger, shown: gr.State) -> None:
        wire(trigger, photos.open_picture, [shown, *here], [tabs, *laid], AT_ONCE)

    def dresses(trigger: Trigger) -> None:  # which is up to the page alone
        trigger(None, list(look), None, js="(colour, opacity) => globalThis.showMask(colour, opacity)")

    for widget in look:
        dresses(widget.change)

    def sees(trigger: Trigger, shown: gr.State) -> None:
        wire(trigger, results.see, [shown, sheet.chosen], [tabs, *sheet], AT_ONCE)

    return EditHandover(
        explore=onward.explore,
        result=sheet.result,
        chosen=sheet.chosen,
        renewal=Renewal(asking.renew, renewed),
        gives=Giving(sheet.result.change, [sheet.result], pictures_of),
        left=left,
        uses=uses,
        opens=opens,
        sees=sees,
        dresses=dresses,
    )


def _wire_photo(
    photos: PhotoHandlers, runs: EditRunHandlers, table: Table, given: Controls, sheet: Sheet, take: gr.Button
) -> None:
    here, laid = [table.workspace, table.canvas], [*table, given.choice.box]
    given.opened.upload(photos.open_file, [given.opened, *here], laid, **AT_ONCE)
    given.shelf.select(photos.example, here, laid, **AT_ONCE)
    take.click(photos.take, [*here, sheet.result, sheet.chosen], laid, **AT_ONCE)
    table.past.select(photos.step_back, here, laid, **AT_ONCE)
    sheet.gallery.select(runs.choose, [sheet.result, sheet.chosen], list(sheet), **AT_ONCE)


def _asked(given: Controls) -> list[Widgets]:
    """Return the widgets that take the values of a form."""
    return [given.choice._asdict(), given.settings, given.sampling, *given.seeding]


def _wire_results(results: ResultHandlers, table: Table, given: Controls, sheet: Sheet, onward: ResultButtons) -> None:
    """Wire the files of the edit that is shown, and its settings."""
    here, wanted = [table.workspace, table.canvas], [sheet.result, sheet.chosen, onward.kind]
    for asked, write, file, given_over in (
        (onward.download, results.file, onward.file, "#edit_file"),
        (onward.everything, results.everything, sheet.bundle, "#edit_bundle"),
    ):
        begun = asked.click(results.writing, onward.kind, sheet.bar, **AT_ONCE)
        written = begun.then(write, wanted, file, **AT_ONCE)
        written.then(results.written, sheet.result, sheet.bar, **AT_ONCE)
        written.success(None, None, None, js=f"() => document.querySelector('{given_over}').click()")
    sheet.mask.click(results.check_files, sheet.result, None, **AT_ONCE)
    taken: list[Widgets] = [*_asked(given), table.canvas, table.workspace]
    wire(onward.use.click, results.use_settings, [sheet.result, *here], taken, AT_ONCE)


def _wire_mask(photos: PhotoHandlers, table: Table, masking: Masking, box: gr.Textbox) -> None:
    here, both = [table.workspace, table.canvas], [table.canvas, table.workspace]
    for act in ("invert", "clear", "grow", "shrink"):
        act_now = partial(photos.change_mask, act)
        getattr(masking, act).click(act_now, [*here, masking.pixels], both, **REPEATED)
    masking.add.click(photos.add_rectangle, [*here, masking.corners], both, **AT_ONCE)
    masking.undo.click(photos.undo_mask, here, both, **REPEATED)
    masking.redo.click(photos.redo_mask, here, both, **REPEATED)
    masking.look.click(photos.look_there, [table.workspace, masking.corners], box, **AT_ONCE)
    masking.upload.upload(photos.load_mask, [*here, masking.upload], both, **AT_ONCE)
    saved = masking.save.click(photos.save_mask, here, masking.file, **AT_ONCE)
    saved.success(None, None, None, js="() => document.querySelector('#mask_file').click()")
    table.workspace.change(mask_tools.picker, table.workspace, masking.picker, **AT_ONCE)


def _wire_choice(runs: EditRunHandlers, table: Table, choice: Choice, outline: gr.HTML) -> None:
    numbers = [choice.unit, choice.left, choice.top, choice.right, choice.bottom]
    changes: list[Trigger] = [choice.task.change, choice.unit.change, table.workspace.change]
    changes += [side.change for side in (choice.left, choice.top, choice.right, choice.bottom)]
    for change in changes:
        change(runs.outline, [table.workspace, choice.task, *numbers], outline, **AT_ONCE)


def _wire_guessing(photos: PhotoHandlers, asking: AskingHandlers, table: Table, given: Controls, bar: gr.HTML) -> None:
    ask, answers, find = given.guessing
    in_turns = partial(wire_in_turns, asking.models.desk, bar=bar)
    in_turns(ask.click, asking.guess, [table.workspace, table.canvas, given.settings], [answers])
    found, here = gr.State(), [table.workspace, table.canvas]
    looked = in_turns(find.click, asking.find, [table.workspace, given.choice._asdict()], [found])
    # only then are photo and strokes read: both may have changed while this waited for its turn
    looked.success(photos.add_found, [*here, found], [table.canvas, table.workspace], **AT_ONCE)
    table.workspace.change(layout.no_answers, None, answers, **AT_ONCE)  # another photo


def _wire_usual_draw(asking: AskingHandlers, given: Controls) -> None:
    """With a class an edit draws otherwise by default; on input, not on change: what was restored stays."""
    class_name, sampling, answers = given.choice.class_name, given.sampling, given.guessing.answers
    taken = answers.input(lambda answer: answer, answers, class_name, **AT_ONCE)
    for trigger in (class_name.input, taken.then, given.choice.task.input, given.after_reset):
        wire(trigger, asking.usual_draw, [given.choice.task, class_name, sampling], [sampling], AT_ONCE)


def _wire_runs(runs: EditRunHandlers, left: LeftRuns, table: Table, given: Controls, sheet: Sheet) -> None:
    seeding, actions = given.seeding, given.actions
    job, stop_flag = gr.State(), gr.State()
    settings: list[Widgets] = [given.choice._asdict(), given.settings, given.sampling, seeding.how_many, seeding.seed]
    asked = [table.workspace, table.canvas, seeding.lock, *settings]
    begun: list[Widgets] = [job, stop_flag, seeding.seed, sheet.bar, *actions, sheet.after, sheet.chosen]

    def begin(trigger: Trigger) -> None:
        prepared = wire(trigger, runs.ready, asked, begun, AT_ONCE)
        wanted = [job, stop_flag, sheet.result]
        running = wire_in_turns(
            runs.models.desk, prepared.success, runs.watch, wanted, list(sheet), sheet.bar, left=left
        )
        running.failure(sheets.over, sheet.result, list(sheet), **AT_ONCE)
        running.then(lambda: (*buttons(running=False), None), None, [*actions, job], **AT_ONCE)  # which is large

    begin(actions.run.click)
    actions.stop.click(halt, stop_flag, [sheet.bar, actions.stop], **AT_ONCE)
