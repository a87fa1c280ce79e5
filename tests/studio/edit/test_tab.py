"""The Edit tab: values to edits, what each handler returns, and that nothing is lost on the way. No browser here."""

from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.edits import FORM, SETTINGS, SPEC, WORKSPACE, asked, drawn_on, painted, results, watched

from var_core.config import Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import Edit, guess, onward, run_edit
from var_core.editing.edit_settings import EditSettings
from var_core.engine.classifier import ClassShare
from var_core.engine.request import Request
from var_core.recipe import Recipe
from var_core.settings import named
from var_studio.edit import form as forms
from var_studio.edit import layout, mask_tools
from var_studio.edit.asking_handlers import AskingHandlers
from var_studio.edit.form import CHANGE, EXTEND, INPAINT
from var_studio.edit.layout import Choice
from var_studio.edit.results import EditJob
from var_studio.edit.workspace import fresh_workspace
from var_studio.shared import controls
from var_studio.shared.examples import examples, mask_file
from var_studio.shared.models import Models


@pytest.mark.parametrize(
    ("label", "boxes", "extend", "choice"),
    [
        (1, (Box(0, 0, 40),), (0, 0, 0, 0), (CHANGE, "0, 0, 40", "Rose", False)),
        (SPEC.transformer.null_label, None, (0, 0, 0, 0), (INPAINT, "", "no class", False)),
        (1, None, (4, 0, 7, 0), (EXTEND, "", "Rose", True)),
    ],
)
def test_a_result_restores_every_control(handlers, label, boxes, extend, choice):
    settings = EditSettings("telea", 1, 0.45, False, True, False, 2, 3, 9.0, 32, False, 3)
    plain = Edit(WORKSPACE.photo, painted(), (label,), (77,), Sampling(guidance=2.5, smooth=True), settings, boxes)
    last = watched(handlers, EditJob("garden", handlers.pipe.digest, onward(plain, *extend) if any(extend) else plain))
    restored = handlers.restore(last.result.files[0], WORKSPACE)
    assert tuple(restored[0]) == Choice._fields and tuple(restored[0].values()) == (*choice, "pixels", *extend)
    assert restored[1:] == (named(settings), named(Sampling(guidance=2.5, smooth=True)), 1, "77", True)
    again, *_ = handlers.ready(WORKSPACE, drawn_on(WORKSPACE, painted()), True, *restored[:-1])
    assert np.array_equal(run_edit(tiny.pipeline(), again.edit)[0], results(last.result)[0])


def test_a_result_that_asks_for_more_scales_than_there_are_restores_as_many_as_there_are_and_says_so(
    handlers, monkeypatch
):
    edit = Edit(WORKSPACE.photo, painted(), (1,), (77,), Sampling(unguided_scales=9))
    last = watched(handlers, EditJob("garden", handlers.pipe.digest, edit))
    told = []
    monkeypatch.setattr(gr, "Info", told.append)
    restored = handlers.restore(last.result.files[0], WORKSPACE)
    assert restored.sampling["unguided_scales"] == len(tiny.SIDES)
    assert f"Lowered to this model's {len(tiny.SIDES)} scales: Scales without guidance." in told


def test_the_class_and_seed_of_a_result_go_to_the_create_tab(handlers):
    last = watched(handlers, asked(handlers, CHANGE, "Rose")[0])
    tabs, *values, locked = handlers.send_back(last.result, 1)
    assert tabs.selected == "create" and locked
    assert controls.read(SPEC, *values) == Request((1,), (6,), Sampling())


def test_a_picture_that_is_no_edit_is_sent_to_the_other_tab(handlers, tmp_path):
    recipe = Recipe(SPEC.name, tiny.pipeline().digest, 0, "Lotus", 1, Sampling())
    recipe.save(Image.new("RGB", (8, 8)), tmp_path / "made.png")
    with pytest.raises(gr.Error, match="restore it in the Create tab"):
        handlers.restore(str(tmp_path / "made.png"), None)


def test_every_control_is_wired_into_a_run_by_its_name(page):
    (ready,) = [fn for fn in page.fns.values() if fn.name == "ready"]
    settings = EditSettings("telea", 1, 0.45, False, True, False, 2, 3, 1.25, 1, False, 2)
    sampling = Sampling(2.5, 0.7, 0.3, cooling=0.4, top_k=5, top_p=0.5, smooth=True, unguided_scales=1, reused_scales=2)
    drawn = {f"edit_{name}": value for name, value in named(sampling).items()}
    chosen = {"task": EXTEND, "box": "", "into": "Rose", "redraws": True, "unit": "pixels"}
    sides = {"extend_left": 4, "extend_top": 0, "extend_right": 7, "extend_bottom": 0}
    values = {**chosen, **sides, **drawn, **named(settings), "edit_lock": True, "edit_variations": 2, "edit_seed": "5"}
    values |= {"canvas": drawn_on(WORKSPACE, painted()), None: WORKSPACE}  # the workspace has no id
    assert {getattr(widget, "elem_id", None) for widget in ready.inputs} == set(values)
    update = ready.fn({widget: values[getattr(widget, "elem_id", None)] for widget in ready.inputs})
    (job,) = (value for value in update.values() if isinstance(value, EditJob))
    edit = job.edit
    assert (edit.settings, edit.sampling, edit.seeds) == (settings, sampling, (5, 6))
    assert (edit.labels, edit.extend) == ((1, 1), (4, 0, 7, 0))


def test_a_number_that_cannot_be_stops_only_what_needs_it(page):
    numbers = [block for block in page.blocks.values() if isinstance(block, gr.Number)]
    assert {widget.elem_id for widget in numbers} >= {"mask_pixels", "extend_left", "dilate"}
    assert [widget.preprocess(-4) for widget in numbers] == [-4] * len(numbers)  # Gradio refuses none: handlers do
    assert np.array_equal(mask_tools.changed_mask(painted(), "invert", -4), ~painted())


def test_every_example_has_a_mask_that_fits_it():
    for file in examples():
        with Image.open(file) as picture, Image.open(mask_file(file)) as mask:
            assert picture.size == mask.size and 0 < np.asarray(mask.convert("L")).mean() < 255


def test_painting_outside_the_chosen_box_is_told():
    edit = forms.edit_asked_for(SPEC, WORKSPACE, painted(), replace(FORM, box=Box(20, 0, 30)))
    assert forms.misses(edit) and not forms.misses(replace(edit, boxes=(Box(10, 5, 30),)))
    assert not forms.misses(replace(edit, boxes=None))


@pytest.mark.parametrize("seeing", [False, True])
def test_see_surroundings_is_there_where_the_model_has_learned_to(seeing):
    pipe = tiny.masked_pipeline() if seeing else tiny.pipeline()
    with gr.Blocks():
        given = layout.left_column(pipe.spec, lambda: pipe.spec.default_sampling, masked=seeing)
    assert given.settings["shown"].visible == seeing
    renewed = AskingHandlers(Models(pipe)).renew()
    assert [box.visible for box in renewed if isinstance(box, gr.Checkbox)] == [seeing]


def test_the_likeliest_classes_of_a_photo_are_named_and_what_is_painted_is_not_looked_at(asking, monkeypatch):
    mask = painted()
    hidden = fresh_workspace("garden", np.where(mask[..., None], 255 - WORKSPACE.photo, WORKSPACE.photo))
    wanted = guess(asking.pipe, WORKSPACE.photo, mask, EditSettings())
    assert wanted == guess(asking.pipe, hidden.photo, mask, EditSettings())
    known = [replace(one, nats=1.0) for one in wanted]
    monkeypatch.setattr("var_studio.edit.asking_handlers.guess", lambda *_: known)
    (radio,) = asking.guess(WORKSPACE, drawn_on(WORKSPACE, mask), SETTINGS)
    answers = radio.choices
    assert [value for _, value in answers] == [SPEC.class_name(one.label) for one in wanted[:3]]
    assert answers[0][0].endswith(f"{wanted[0].share:.0%}")


def test_a_photo_of_nothing_that_the_model_knows_is_said_to_be_so(asking, monkeypatch):
    unknown = [ClassShare(1, 0.5, -3.0)]
    monkeypatch.setattr("var_studio.edit.asking_handlers.guess", lambda *_: unknown)
    (answer,) = asking.guess(WORKSPACE, drawn_on(WORKSPACE, painted()), SETTINGS)
    assert answer.choices == [] and "none of the classes" in answer.label


def test_without_a_photo_there_is_nothing_to_guess(asking):
    with pytest.raises(gr.Error, match="There is no photo yet"):
        asking.guess(None, None, SETTINGS)
