"""Handlers take and give values by widget, those of a table of settings by name."""

import asyncio
from collections.abc import Mapping

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from var_studio.shared.events import AT_ONCE, SKIP, buttons, halt, wire
from var_studio.shared.html import READY, STOPPING
from var_studio.shared.run import StopFlag


def page(handler) -> tuple[gr.Blocks, dict[str, gr.components.Component]]:
    """A page with a box and a table of two numbers, which a handler takes and gives."""
    with gr.Blocks() as made:
        box, table = gr.Textbox("a"), {"one": gr.Number(1), "two": gr.Number(2)}
        wire(box.change, handler, [box, table], [box, table], AT_ONCE)
    return made, {"box": box, **table}


async def answered(handler) -> list[object]:
    """What Gradio sends for what a handler gives."""
    made, _ = page(handler)
    (number,) = made.fns
    result = await made.process_api(number, ["a", 1, 2], SessionState(made), root_path="")
    return result["data"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (("b", {"one": 5, "two": 6}), ["b", 5, 6]),
        (("b", {"two": 6}), ["b", None, 6]),
        ((SKIP, {"one": 5}), [None, 5, None]),
        (("b", {}), ["b", None, None]),
        ((SKIP, {}), [None, None, None]),
        ((SKIP, SKIP), [None, None, None]),
    ],
)
def test_what_is_not_named_stays_as_it_is(given, sent):
    def handler(box: str, table: Mapping[str, object]) -> tuple[object, object]:
        assert (box, table) == ("a", {"one": 1, "two": 2})
        return given

    found = asyncio.run(answered(handler))
    assert [None if value == SKIP else value for value in found] == sent


def test_a_table_alone_may_name_nothing():
    with gr.Blocks() as made:
        table = {"one": gr.Number(1), "two": gr.Number(2)}
        button = gr.Button()
        wire(button.click, lambda _: ({},), [table], [table], AT_ONCE)
    (number,) = made.fns
    result = asyncio.run(made.process_api(number, [1, 2], SessionState(made), root_path=""))
    assert result["data"] == [SKIP, SKIP]


def test_stop_says_so_and_can_be_pressed_again_only_in_the_next_run():
    stop_flag = StopFlag()
    bar, stop = halt(stop_flag)
    assert stop_flag.is_set() and bar == STOPPING and stop.interactive is False
    for running in (True, False):
        run, stop = buttons(running)
        assert stop.interactive and stop.visible is running is not run.visible
    assert halt(None)[0] == READY
