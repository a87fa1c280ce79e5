"""Show a picture that comes with the app, and how it grew, before anything was drawn."""

from html import escape

from PIL import Image

from var_core.files import ASSETS
from var_core.inspection.trace import Trace

from . import html

TRACES = ASSETS / "traces"
FIRST_WORDS = "This picture came with the app: press Run, and one of your own appears."


def shipped_picture() -> tuple[list[Image.Image], str]:
    """Return the picture of the first trace that ships, with its scales as HTML; nothing where no trace does."""
    found = next(iter(sorted(TRACES.glob("*.safetensors"))), None)
    if found is None:
        return [], ""
    trace = Trace.load(found)
    shown = [Image.fromarray(picture) for picture in trace.pictures.numpy()]
    sides = trace.about.sides
    captions = [f"{side}×{side}" for side in sides]  # noqa: RUF001
    frames = html.frames(
        f'<figure><img src="{html.small_uri(image)}" alt="{text}"><figcaption>{text}</figcaption></figure>'
        for image, text in zip(shown, captions, strict=True)
    )
    name, last = escape(trace.about.class_name), sides[-1] ** 2
    says = f"How it grew, from one square (token) to {last}, scale by scale."
    title = f"<h2>{name} <span>seed {trace.about.seed}</span></h2>"
    return shown[-1:], f'<section class="strip first">{title}<p>{says}</p>{frames}</section>'
