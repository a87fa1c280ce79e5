"""What the page is told of outputs that stay as they are costs nothing, and is what Gradio would have told."""

import asyncio
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.state_holder import SessionState

from var_studio.shared.guarded_events import guard


class Parts:
    """A page with an event that changes some of its widgets, guarded or as Gradio makes it."""

    def __init__(self, give: Callable[["Parts"], Any], guarded: bool = True):
        with gr.Blocks() as self.page:
            self.text, self.number, self.kept = gr.Textbox(), gr.Number(), gr.State("old")
            self.button = gr.Button()
            self.outputs = [self.text, self.number, self.kept, self.button]
            self.button.click(lambda: give(self), None, self.outputs)
        if guarded:
            guard(self.page)
        self.state = SessionState(self.page)

    def told(self) -> list[Any]:
        (number,) = self.page.fns
        return asyncio.run(self.page.process_api(number, [], self.state, root_path=""))["data"]

    def kept_now(self) -> object:
        return self.state[self.kept._id]


GIVEN = {
    "one": lambda here: {here.number: 7},
    "an update": lambda here: {here.button: gr.Button(interactive=False), here.number: gr.Number(value=3, label="n")},
    "an array": lambda here: {here.kept: np.zeros(3), here.number: 4},
    "a state": lambda here: {here.kept: "new", here.text: "words"},
    "a skip": lambda here: {here.text: gr.skip(), here.kept: gr.skip(), here.number: 2},
    "all, in their order": lambda _: ["words", 1, "new", gr.Button(visible=False)],
    "a skip of all": lambda _: gr.skip(),
    "all, by widget": lambda here: {here.text: "words", here.number: 1, here.kept: "new", here.button: "Run"},
}


@pytest.mark.parametrize("give", GIVEN.values(), ids=GIVEN.keys())
def test_the_page_is_told_what_gradio_would_tell(give):
    ours, plain = Parts(give), Parts(give, guarded=False)
    assert ours.told() == plain.told()
    assert np.array_equal(ours.kept_now(), plain.kept_now())


def test_widgets_that_stay_as_they_are_are_not_made_anew():
    here = Parts(lambda here: {here.number: gr.Number(value=3, label="n")})
    before = {widget._id: here.state[widget._id] for widget in here.outputs}
    here.told()
    new = [widget for widget in here.outputs if here.state[widget._id] is not before[widget._id]]
    assert new == [here.number]
    assert here.state[here.number._id].label == "n"


def test_a_widget_that_is_no_output_is_a_fault_of_the_handler():
    stranger = gr.Textbox()
    with pytest.raises(gr.Error):
        Parts(lambda _: {stranger: "words"}).told()
