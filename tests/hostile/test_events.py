"""Every event, called with what no page sends: one sentence, and no error that nobody has foreseen."""

import asyncio

import gradio as gr
import pytest
from gradio.state_holder import SessionState
from support import tiny

from var_studio import main as app

WRONG = ("many\x1b[31m", [], 10**30)


@pytest.fixture(scope="module")
def own_page() -> gr.Blocks:
    return app.build(tiny.pipeline())


def told(page: gr.Blocks, state: SessionState, number: int, values: list[object]) -> str | None:
    """Return what is told of an event's call; None: it went well."""
    event = gr.EventData(None, None)
    try:
        asyncio.run(page.process_api(number, values, state, event_data=event, root_path=""))
    except gr.Error as error:
        assert not error.print_exception, page.fns[number].name
        return error.message
    return None


@pytest.mark.slow
@pytest.mark.parametrize("given", ["nothing", "null", *range(len(WRONG))])
def test_no_event_fails_without_a_word(own_page, given):
    refused, state = 0, SessionState(own_page)
    for number, fn in own_page.fns.items():
        if not callable(fn.fn) or not (fn.inputs or given == "nothing"):
            continue
        count = 0 if given == "nothing" else len(fn.inputs)
        value = None if given in ("nothing", "null") else WRONG[given]
        said = told(own_page, state, number, [value] * count)
        assert said is None or said.strip().endswith((".", "again.", "anew.")) or ":" in said, (fn.name, said)
        refused += said is not None
    assert refused or given == "null"
