"""What the browser remembers of the settings."""

from types import SimpleNamespace

import gradio as gr
import pytest
from support import tiny

from var_core.editing.edit_settings import usual_sampling
from var_core.settings import named
from var_studio.page import memory
from var_studio.page.memory import Memory
from var_studio.shared.limits import HOME
from var_studio.shared.models import Models
from var_studio.shared.visitor_files import VisitorFiles


@pytest.fixture(scope="module")
def remembering() -> Memory:
    from var_studio.create import tab as create
    from var_studio.edit import tab as edit
    from var_studio.explore import tab as explore

    models, files = Models(tiny.pipeline()), VisitorFiles(HOME)
    with gr.Blocks() as page, gr.Tabs() as tabs:
        with gr.Tab("Create"):
            made = create.tab(models, files)
        with gr.Tab("Edit"):
            edited = edit.tab(models, files, tabs, made)
        with gr.Tab("Explore") as here:
            explore.tab(models, files, tabs, here, made, edited)
        return Memory(models, page)


def recalled(remembering: Memory, values: dict[str, object], query: str = "", model: str | None = None) -> dict:
    """What the widgets are told, by name, without those that stay as they are."""
    kept = {"model": model or tiny.pipeline().digest, "values": values}
    visitor = SimpleNamespace(query_params=dict(pair.split("=") for pair in query.split("&") if pair))
    told = zip(memory.NAMES, remembering.recalled(kept, visitor), strict=True)
    return {name: value for name, value in told if value != gr.skip()}


def test_settings_come_back(remembering: Memory):
    values = {"class": "Sea", "pictures": 3, "seed": "41", "lock": True, "guidance": 2.5, "edit_variations": 2}
    assert recalled(remembering, values) == values


def test_settings_of_edit_and_explore_come_back(remembering: Memory):
    edit = {"task": "Extend", "into": "Sea", "unit": "per cent", "extend_left": 4, "fill": "telea", "edit_guidance": 3}
    explore = {"explore_class": "Rose", "explore_seed": "5, 9 from scale 2", "explore_lock": True, "explore_top_k": 7}
    assert recalled(remembering, edit | explore) == edit | explore
    assert recalled(remembering, edit | explore, "class=rose") == edit | explore


def test_a_link_wins_over_what_is_remembered_of_its_tab(remembering: Memory):
    values = {"class": "Sea", "guidance": 2.5, "edit_variations": 2}
    assert recalled(remembering, values, "class=rose") == {"edit_variations": 2}
    assert recalled(remembering, values, "__theme=dark") == values


def test_settings_of_another_model_are_left_out(remembering: Memory):
    assert recalled(remembering, {"class": "Sea"}, model="another") == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class", "no such class"),
        ("class", ["Sea"]),
        ("pictures", 17),
        ("pictures", "3"),
        ("pictures", True),
        ("seed", "1" * 101),
        ("seed", 3),
        ("lock", 1),
        ("guidance", -1),
        ("top_k", None),
        ("task", "Nonsense"),
        ("into", "no such class"),
        ("unit", 3),
        ("extend_left", "4"),
        ("explore_class", None),
    ],
)
def test_what_no_widget_could_say_is_left_out(remembering: Memory, name: str, value: object):
    assert recalled(remembering, {name: value}) == {}


@pytest.mark.parametrize("kept", [None, 3, [], {"model": 5}, {"model": tiny.pipeline().digest, "values": 7}])
def test_a_damaged_memory_is_none(remembering: Memory, kept: object):
    told = remembering.recalled(kept, SimpleNamespace(query_params={}))
    assert told == [gr.skip()] * len(memory.NAMES)


def test_forgotten_settings_are_those_of_a_fresh_page(remembering: Memory):
    kept, *values = remembering.forgotten()
    told = dict(zip(memory.NAMES, values, strict=True))
    assert kept is None and told == remembering.usual
    usual = tiny.SPEC.default_sampling
    for prefix, sampling in (("", usual), ("edit_", usual_sampling(usual, False)), ("explore_", usual)):
        assert {name: told[f"{prefix}{name}"] for name in named(sampling)} == named(sampling)


def test_every_change_is_remembered_by_the_browser_alone(page: gr.Blocks):
    ids = {block._id: getattr(block, "elem_id", None) for block in page.blocks.values()}
    heard = {
        ids[at]
        for fn in page.fns.values()
        if isinstance(fn.js, str) and "varStudioMemory.remember" in fn.js and fn.fn is None
        for at, event in fn.targets
        if event == "change"
    }
    assert heard == set(memory.NAMES)
