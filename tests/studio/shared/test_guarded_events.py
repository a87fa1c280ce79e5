"""What no widget sends, and errors that nobody has foreseen, are told in one sentence, and in one line of the log."""

import asyncio
import logging
from collections.abc import Iterator

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from var_studio.shared import guarded_events
from var_studio.shared.events import refusal
from var_studio.shared.guarded_events import BROKEN, STRANGE, TOO_EARLY, guard


def page(handler) -> gr.Blocks:
    with gr.Blocks() as made:
        inputs = [gr.Textbox(), gr.Number(minimum=0), gr.Slider(0, 5), gr.Checkbox(), gr.Radio(["a", "b"]), gr.State()]
        gr.Button().click(handler, inputs, inputs[0])
    guard(made)
    return made


GOOD = ("text", 1, 2, True, "a", None)


def answered(made: gr.Blocks, values: tuple) -> object:
    (number,) = made.fns
    return asyncio.run(made.process_api(number, list(values), SessionState(made), root_path=""))["data"]


def told(made: gr.Blocks, values: tuple) -> str:
    with pytest.raises(gr.Error) as caught:
        answered(made, values)
    assert not caught.value.print_exception
    return caught.value.message


def test_what_the_page_sends_arrives():
    made = page(lambda *values: str(values))
    assert answered(made, GOOD) == [str(GOOD)]
    assert answered(made, ("", None, 0.5, None, None, None)) == ["('', None, 0.5, None, None, None)"]


@pytest.mark.parametrize(
    "values",
    [
        (),
        GOOD[:4],
        ([], *GOOD[1:]),
        ({"a": 1}, *GOOD[1:]),
        ("text", "many", *GOOD[2:]),
        ("text", True, *GOOD[2:]),
        ("text", 1, None, *GOOD[3:]),
        ("text", 1, 2, "yes", "a", None),
        ("text", 1, 2, True, "c", None),
        ("text", 1, 2, True, ["a"], None),
    ],
)
def test_what_no_widget_sends_is_refused_before_the_handler_is_called(values):
    made = page(lambda *_: pytest.fail("called"))
    assert told(made, values) == STRANGE


def test_a_number_out_of_bounds_is_told_as_such():
    assert "less than minimum value 0" in told(page(lambda *_: pytest.fail("called")), ("text", -5, *GOOD[2:]))


def test_an_error_that_nobody_has_foreseen_is_one_sentence_and_one_line(caplog):
    def handler(*values: object) -> str:
        return values[5].digest + "\n"

    with caplog.at_level(logging.ERROR, guarded_events.__name__):
        assert told(page(handler), GOOD) == TOO_EARLY
    (line,) = caplog.messages
    assert "AttributeError: 'NoneType' object has no attribute 'digest' (test_guarded_events.py:" in line
    assert "\n" not in line


def test_a_run_whose_pictures_cannot_be_shown_ends_at_once():
    """Before anybody is told: what it holds, its place in the queue too, is free for the next one."""
    ended: list[bool] = []

    def handler(*_: object) -> Iterator[object]:
        try:
            yield {"not": "a picture"}
            yield None
        finally:
            ended.append(True)

    with gr.Blocks() as made:
        gr.Button().click(handler, None, gr.Image())
    guard(made)
    with pytest.raises(gr.Error) as caught:
        answered(made, ())
    assert caught.value.message == BROKEN and ended == [True]


def test_what_is_missing_is_told_only_where_something_is():
    with gr.Blocks() as made:
        box = gr.Textbox()
        box.submit(lambda text: text["\x1b"], box, box)
    guard(made)
    assert told(made, ("a",)) == BROKEN


def test_a_refusal_stays_as_it_is_and_is_not_logged(caplog):
    def handler(*_: object) -> str:
        raise refusal("Not today.")

    assert told(page(handler), GOOD) == "Not today." and not caplog.messages


def test_a_run_that_fails_in_its_middle_is_told_too(caplog):
    def handler(*_: object):
        yield "one"
        raise KeyError("\x1b[31mtwo")

    made = page(handler)
    (number,) = made.fns

    async def twice() -> None:
        first = await made.process_api(number, list(GOOD), SessionState(made), root_path="")
        await made.process_api(number, [], SessionState(made), iterator=first["iterator"], root_path="")

    with pytest.raises(gr.Error) as caught:
        asyncio.run(twice())
    assert caught.value.message in (BROKEN, TOO_EARLY) and "\x1b" not in caplog.text


def with_several(handler) -> gr.Blocks:
    with gr.Blocks() as made:
        several = gr.Dropdown(["a", "b"], value=[], multiselect=True)
        gr.Button().click(handler, several, gr.Textbox())
    guard(made)
    return made


@pytest.mark.parametrize("value", [[], ["a"], ["b", "a"], None])
def test_a_list_of_which_several_may_be_chosen_sends_a_list(value):
    assert answered(with_several(str), (value,)) == [str(value)]


@pytest.mark.parametrize("value", ["a", 1, [1], [["a"]], {"a": 1}, ["c"]])
def test_what_such_a_list_does_not_send_is_refused(value):
    assert told(with_several(lambda _: pytest.fail("called")), (value,))
