"""The folder of the style sheets, scripts and lessons that the page is made with."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "static"
