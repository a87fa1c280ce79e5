"""The photos that come with the app, each with a mask, and the shelf to choose one from."""

from pathlib import Path

import gradio as gr

from var_core.files import ASSETS

EXAMPLES = ASSETS / "examples"
FIRST = ("meadow", "peaks")  # what the bundled model edits best comes first, and others after these


def examples() -> list[Path]:
    """Photos that come with the app; each has a mask beside it."""
    found = [path for path in EXAMPLES.iterdir() if mask_file(path).is_file()]
    return sorted(found, key=lambda path: (FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), path.name))


def mask_file(photo: Path) -> Path:
    return photo.with_name(f"{photo.stem}-mask.png")


def example_shelf(name: str) -> gr.Gallery:
    """Lay out all examples side by side, to choose one."""
    return gr.Gallery(
        [str(path) for path in examples()],
        show_label=False,
        columns=6,
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        visible=bool(examples()),
        elem_classes="examples",
        elem_id=name,
    )
