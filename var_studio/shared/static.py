"""Where the style sheets, scripts and lessons lie that the page is made with."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "static"
