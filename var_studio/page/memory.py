"""Settings that a visitor's browser remembers, and forgets when told to."""

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.settings import named, rows

from ..edit.form import SIDES
from ..shared import controls
from ..shared.events import AT_ONCE, SKIP, Trigger, Unchanged
from ..shared.models import Models

# Fixed, or each start of the app would forget; what is kept is no secret of the app's.
KEY, SECRET = "var-studio-settings", "var-studio"
DRAWS = tuple(row.name for row in rows(Sampling))
OF_LINKS = ("class", "pictures", "seed", "lock", *DRAWS)  # ids of widgets: in Create
OF_EDIT = (
    *("task", "into", "unit", *(f"extend_{side}" for side in SIDES), "edit_variations", "edit_seed", "edit_lock"),
    *("mask_colour", "mask_opacity"),
    *(*(row.name for row in rows(EditSettings)), *(f"edit_{name}" for name in DRAWS)),
)
OF_EXPLORE = ("explore_class", "explore_seed", "explore_lock", *(f"explore_{name}" for name in DRAWS))
NAMES = (*OF_LINKS, *OF_EDIT, *OF_EXPLORE)
CLASSES = ("class", "into", "explore_class")
MOST_LETTERS = 100  # of a text that is taken from a browser


class Memory:
    """The widgets whose values the browser remembers, by their ids, on the page that is being made."""

    def __init__(self, models: Models, page: gr.Blocks):
        self.models = models
        found = {getattr(block, "elem_id", None): block for block in page.blocks.values()}
        self.widgets: dict[str, Any] = {name: found[name] for name in NAMES}
        self.usual = {name: widget.value for name, widget in self.widgets.items()}
        self.kept = gr.BrowserState(None, storage_key=KEY, secret=SECRET)

    def wire(self, forget: gr.Button) -> Trigger:
        """Remember whatever is changed; `forget` puts all back to what the page begins with.

        Return what to wire to what follows that.
        """
        changes, here = [widget.change for widget in self.widgets.values()], list(self.widgets.values())
        script = f"(kept, ...values) => globalThis.varStudioMemory.remember(kept, {json.dumps(NAMES)}, values)"
        gr.on(changes, None, [self.kept, *here], self.kept, js=script, **AT_ONCE)
        begun = forget.click(None, None, None, js="() => globalThis.varStudioMemory.forget()", **AT_ONCE)
        return begun.then(self.forgotten, None, [self.kept, *here], **AT_ONCE).then

    def after(self, trigger: Trigger) -> Trigger:
        """Wire an event of a page that is opened, after which its controls say what they said the last time."""
        return trigger(self.recalled, self.kept, list(self.widgets.values()), **AT_ONCE).then

    def recalled(self, kept: object, visitor: gr.Request) -> list[object | Unchanged]:
        """Return what each widget said the last time with this model; a link's settings and misfits are left out."""
        known = kept if isinstance(kept, Mapping) and kept.get("model") == self.models.pipe.digest else {}
        values = known.get("values")
        values = values if isinstance(values, Mapping) else {}
        linked = OF_LINKS if not visitor.query_params.keys().isdisjoint(controls.NAMES) else ()
        return [
            values[name] if name in values and name not in linked and self._fits(name, values[name]) else SKIP
            for name in self.widgets
        ]

    def forgotten(self) -> list[object]:
        """Return what the page begins with."""
        name, sampling = controls.defaults(self.models.pipe.spec).class_name, named(self.models.default_sampling)
        values = {**self.usual, "class": name, "explore_class": name}
        for prefix, drawn in (("", sampling), ("edit_", named(self.models.filling_sampling)), ("explore_", sampling)):
            values |= {f"{prefix}{setting}": value for setting, value in drawn.items()}
        return [None, *(values[name] for name in self.widgets)]

    def _fits(self, name: str, value: object) -> bool:
        """Say whether a value from a browser, which may be anything, is one of a widget's."""
        widget: Component = self.widgets[name]
        if name in CLASSES:
            return value in controls.class_names(self.models.pipe.spec, None)
        if isinstance(widget, gr.Checkbox):
            return isinstance(value, bool)
        if isinstance(widget, (gr.Dropdown, gr.Radio)):
            return value in [choice for _, choice in widget.choices]
        if isinstance(widget, gr.Textbox):
            return isinstance(value, str) and len(value) <= MOST_LETTERS
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return False
        low, high = (getattr(widget, end) for end in ("minimum", "maximum"))
        return (low is None or value >= low) and (high is None or value <= high)
