"""The wiring of the visit's pictures to the tabs."""

import gradio as gr


def events(page: gr.Blocks, button: str) -> list:
    """What is wired to a click on a button."""
    (widget,) = (block for block in page.blocks.values() if getattr(block, "elem_id", None) == button)
    return [fn for fn in page.fns.values() if any(at == widget._id for at, _ in fn.targets)]


def test_every_tab_gives_pictures_and_the_panel_takes_them_up_in_the_tab_that_made_them(page: gr.Blocks):
    (strip,) = (block for block in page.blocks.values() if getattr(block, "elem_id", None) == "visit_strip")
    giving = [fn for fn in page.fns.values() if fn.name == "given"]
    assert len(giving) == 3 and all(strip in fn.outputs for fn in giving)
    assert [fn.name for fn in events(page, "explore_keep")] == ["given"]
    assert len(events(page, "visit_use")) == 3
    assert [len(events(page, f"visit_{name}")) for name in ("edit", "look", "see", "draw")] == [1, 1, 1, 1]


def test_the_browser_alone_holds_the_token(page: gr.Blocks):
    states = [block for block in page.blocks.values() if isinstance(block, gr.BrowserState)]
    (token,) = (state for state in states if state.storage_key == "var-studio-visit")
    assert token.value is None
    heard = [fn for fn in page.fns.values() if fn.name in ("entered", "given", "act", "favour", "delete", "pack")]
    wired = [fn for fn in heard if any(getattr(block, "elem_id", "") == "visit_strip" for block in fn.outputs)]
    assert len(wired) == 7 and all(token in fn.inputs for fn in wired)
