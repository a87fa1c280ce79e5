"""Words that fit a number, and words that a terminal only shows."""

import re

# What moves the cursor, colours, rings or turns the direction of writing; lines and tabs stay.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 picture", "1,200 pictures", "7 classes"."""
    if number == 1:
        return f"{number:,} {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def printable(text: str) -> str:
    """Return a text without control characters, for a terminal: what comes out of files could be anything."""
    return CONTROLS.sub("", text)
