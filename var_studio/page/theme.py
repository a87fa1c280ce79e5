"""The look of the app: theme, style sheets and scripts."""

from pathlib import Path
from typing import TypedDict

import gradio as gr

from ..shared import palette
from ..shared.static import FOLDER
from . import scripts

STYLES = (
    "page.css",
    "controls.css",
    "create.css",
    "edit.css",
    "canvas.css",
    "explorer.css",
    "explorer_panels.css",
    "learn.css",
    "welcome.css",
    "visit.css",
    "languages.css",
)


class Look(TypedDict, total=False):
    """Arguments of `launch` that make the look of a page."""

    theme: gr.themes.Base
    css: str
    css_paths: list[Path]
    head: str


def dress() -> Look:
    """The arguments of `launch` that make the look. Nothing in them comes from the network."""
    colours = f":root {{ --mark: {palette.MARK}; }}"
    styles = [FOLDER / "styles" / name for name in STYLES]
    return {"theme": theme(), "css": colours, "css_paths": styles, "head": f"<script>{scripts.script()}</script>"}


def theme() -> gr.themes.Base:
    """Calm and system-native: the fonts are the reader's own."""
    base = gr.themes.Base(
        primary_hue="teal",
        neutral_hue="stone",
        radius_size="lg",
        font=("ui-sans-serif", "system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    )
    subdued = {"light": "*neutral_500", "dark": "*neutral_400"}  # dark enough to read: 4.5 to 1 at least
    return base.set(
        body_background_fill="*neutral_50",
        body_text_color_subdued=subdued["light"],
        body_text_color_subdued_dark=subdued["dark"],
        block_info_text_color=subdued["light"],
        block_info_text_color_dark=subdued["dark"],
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_cancel_background_fill="*neutral_700",
        button_cancel_background_fill_hover="*neutral_800",
        button_cancel_text_color="white",
        checkbox_border_color_dark="*neutral_500",
    )
