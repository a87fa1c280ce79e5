"""Controls to requests and back, and what each handler returns. No browser here."""

import gradio as gr
import pytest
from support import tiny
from support.form import SPEC
from support.opened import FILES
from support.settings import another

from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings, usual_sampling
from var_core.engine.request import Request
from var_core.published_specs import SPECS
from var_core.settings import Setting, named, rows
from var_studio.create import layout
from var_studio.create.preparing import Asked
from var_studio.create.setting_handlers import SettingHandlers
from var_studio.edit import layout as edit_layout
from var_studio.edit.asking_handlers import AskingHandlers
from var_studio.explore import layout as explore_layout
from var_studio.explore import tab as explore_tab
from var_studio.explore.sources import Sources
from var_studio.learn import tab as learn
from var_studio.shared import controls, models_menu, widgets
from var_studio.shared.models import Models


def test_every_setting_is_wired_into_a_run_by_its_name(page: gr.Blocks):
    labels = ["Keep this seed", "Class", "And also", "Pictures", "Seed", *(row.label for row in rows(Sampling))]
    wired = [fn for fn in page.fns.values() if fn.name == "prepare"]
    assert wired
    for fn in wired:
        assert sorted(widget.label for widget in fn.inputs) == sorted(labels)
    wanted = Sampling(**{row.name: another(row) for row in rows(Sampling)})
    values = {"class": "Sea", "pictures": 3, "seed": "41", "lock": True, "also": ["Lotus"], **named(wanted)}
    for fn in wired:
        update = fn.fn({widget: values[widget.elem_id] for widget in fn.inputs})
        (asked,) = (value for value in update.values() if isinstance(value, Asked))
        assert asked.request == Request((6, 6, 6, 0, 0, 0), (41, 42, 43) * 2, wanted)


def test_every_button_does_something(page: gr.Blocks):
    heard = {target for fn in page.fns.values() for target, _ in fn.targets}
    kinds = (gr.Button, gr.UploadButton)
    deaf = [block.elem_id for block in page.blocks.values() if isinstance(block, kinds) and block._id not in heard]
    assert deaf == []


def test_numbers_of_scales_end_at_those_of_the_model_also_of_another_that_is_loaded(page: gr.Blocks):
    names = ("unguided_scales", "reused_scales")
    found = {block.elem_id: block for block in page.blocks.values() if isinstance(block, gr.Slider)}
    scales = len(SPEC.tokenizer.sides)
    for prefix in ("", "edit_", "explore_"):
        assert [found[f"{prefix}{name}"].maximum for name in names] == [scales, scales]
    renewed = widgets.renewed_sampling(Sampling(unguided_scales=2), SPECS["var-d16"])
    assert [renewed[name].maximum for name in names] == [10, 10]
    assert renewed["unguided_scales"].value == 2 and renewed["guidance"] == Sampling().guidance
    models = Models(tiny.pipeline())
    for tab in (SettingHandlers(models, FILES), AskingHandlers(models), Sources(models, "", FILES)):
        assert tab.renew()[-1]["reused_scales"].maximum == len(tiny.SPEC.tokenizer.sides)


def test_stop_changes_itself_and_the_bar_in_every_tab(page: gr.Blocks):
    stops = [block for block in page.blocks.values() if isinstance(block, gr.Button) and block.value == "Stop"]
    assert {stop.elem_id for stop in stops} >= {"stop", "edit_stop", "explore_stop"}
    for stop in stops:
        (halting,) = [fn for fn in page.fns.values() if (stop._id, "click") in fn.targets]
        assert stop in halting.outputs and len(halting.outputs) == 2


@pytest.mark.parametrize(
    ("widgets", "update"),
    [
        (layout.RunStage, layout.StageUpdate),
        (edit_layout.Sheet, edit_layout.SheetUpdate),
        (explore_layout.View, explore_layout.ViewUpdate),
        (learn.Live, learn.LiveUpdate),
        (learn.Track, learn.TrackUpdate),
        (models_menu.Menu, models_menu.MenuUpdate),
    ],
)
def test_an_update_has_a_value_for_each_widget_and_changes_none_that_it_does_not_name(widgets: type, update: type):
    assert update._fields == widgets._fields
    assert update() == (gr.skip(),) * len(widgets._fields)


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [(Sampling(), ""), (usual_sampling(Sampling(), False), "edit_"), (Sampling(), "explore_"), (EditSettings(), "")],
    ids=["create", "edit", "explore", "how it edits"],
)
def test_every_setting_has_a_widget_as_its_table_says(page: gr.Blocks, settings: Sampling | EditSettings, prefix: str):
    widgets = {block.elem_id: block for block in page.blocks.values() if getattr(block, "elem_id", None)}
    kinds = {bool: gr.Checkbox, str: gr.Dropdown}
    for row in rows(type(settings)):
        widget = widgets[f"{prefix}{row.name}"]
        assert isinstance(widget, kinds.get(row.kind, gr.Number if row.typed else gr.Slider))
        assert (widget.label, widget.info, widget.value) == (row.label, row.help, getattr(settings, row.name))
        if isinstance(widget, gr.Slider):
            of_model = row.name in ("first_free_scale", "unguided_scales", "reused_scales")
            end = len(SPEC.tokenizer.sides) if of_model else row.most_shown or row.high
            assert (widget.minimum, widget.maximum, widget.step) == (row.low, end, row.step)
        if row.choices:
            assert widget.choices == list(zip(row.choice_words or row.choices, row.choices, strict=True))


@pytest.mark.parametrize("row", rows(Sampling), ids=lambda row: row.name)
def test_every_setting_of_the_draw_acts_at_once_in_explore(page: gr.Blocks, row: Setting):
    (widget,) = (block for block in page.blocks.values() if getattr(block, "elem_id", None) == f"explore_{row.name}")
    heard = {event for fn in page.fns.values() if fn.name == "turn" for at, event in fn.targets if at == widget._id}
    assert heard == {gr.Slider: {"input", "release"}, gr.Number: {"submit", "blur"}}.get(type(widget), {"input"})


@pytest.mark.parametrize("kind", [gr.Slider, gr.Number, gr.Checkbox, gr.Dropdown])
def test_a_widget_of_any_kind_of_setting_has_events_in_explore(kind: type):
    with gr.Blocks() as blocks:
        widget = kind()
        for trigger in explore_tab.turns(widget):
            trigger(print, widget, None)
    assert {at for fn in blocks.fns.values() for at, _ in fn.targets} == {widget._id}


def test_every_setting_travels_with_the_controls_of_each_tab_and_in_links(page: gr.Blocks):
    names = tuple(row.name for row in rows(Sampling))
    assert controls.NAMES == ("class", "count", "seed", *names) == tuple(controls.defaults(SPEC).by_name())
    for handler in ("prepare", "ready", "draw", "turn"):
        wired = [{widget.label for widget in fn.inputs} for fn in page.fns.values() if fn.name == handler]
        assert wired and all({row.label for row in rows(Sampling)} <= labels for labels in wired), handler
    told = controls.link(SPEC, Request((1,), (2,)))
    assert all(f"{name}=" in told for name in names)
