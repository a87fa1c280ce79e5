"""The format of the files that this program writes: a number in model files, recipes, traces and training states.

Every kind has an `upgrade` that reads values of this format and of all earlier ones. What an earlier format left out is
told here, and never changes, whatever today's defaults are: files keep their meaning.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from .schema import Fields

FORMAT = 8  # raised whenever what a file holds is renamed, or more of it
FORMAT_KEY = "format"  # of the number; files of format 1 hold none

# What sizes in a file may be, before it is asked whether they go together; the largest published model has 36 blocks.
Few = Annotated[int, Meta(ge=0, le=32)]
Layers = Annotated[int, Meta(ge=1, le=12)]
Blocks = Annotated[int, Meta(ge=1, le=256)]
Many = Annotated[int, Meta(ge=0, le=2**16)]
Codes = Annotated[int, Meta(ge=1, le=2**18)]
Sides = Annotated[tuple[Annotated[int, Meta(ge=1, le=256)], ...], Meta(min_length=1, max_length=64)]
Multipliers = Annotated[tuple[Annotated[int, Meta(ge=1, le=64)], ...], Meta(min_length=1, max_length=8)]
Text = Annotated[str, Meta(max_length=1000)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=2**16)]

# What was added, by the first format that always holds it, as files from before mean it.
ADDED_SAMPLING: dict[int, Fields] = {
    2: {"ramp": 1.0, "cooling": 0.0, "unguided_scales": 0},
    3: {"reused_scales": 0},
    7: {"spatial_guidance": 0.0},
}
ADDED_TOKENIZER: dict[int, Fields] = {
    2: {"refine": 0, "refine_blocks": 0, "order": "scales", "own_codes": False},
    3: {"enlarge": 1, "enlarge_channels": 0, "enlarge_blocks": 0},  # no decoder enlarged
}
ADDED_TRANSFORMER = {"order": "scales"}  # to format 1 while it lasted
ADDED_SEEDS: Fields = {"later": ()}  # to format 4: all scales of a picture were drawn with one seed
ADDED_EDIT_SETTINGS: dict[int, Fields] = {
    3: {"shown": False},
    4: {"candidates": 1},
    5: {"soft": False},
    6: {"likeness": 0.0},
    8: {"smallest_square": 1.0},
}
# How models draw that say nothing of it, from before they could.
FIRST_SAMPLING = {
    "guidance": 4.0,
    "temperature": 1.0,
    "top_k": 100,
    "top_p": 0.95,
    "smooth": False,
    **ADDED_SAMPLING[2],
}
FIRST_PUBLISHED_SAMPLING = {**FIRST_SAMPLING, "top_k": 900}
FIRST_PUBLISHED = ("var-d16", "var-d20", "var-d24", "var-d30", "var-d36-s")


def left_out(added: Mapping[int, Fields], version: int) -> Fields:
    """Return what files of a format leave out, of all that was added since."""
    return {name: value for first, values in added.items() if version < first for name, value in values.items()}


def sampling_of_format(version: int, values: Mapping[str, object]) -> Fields:
    """Return the values of a `Sampling` that a file of a format holds, with what that format left out."""
    return {**left_out(ADDED_SAMPLING, version), **values}


def tokenizer_of_format(version: int, values: Mapping[str, object]) -> Fields:
    """Return the sizes of a tokenizer that a file of a format holds, with what that format left out."""
    return {**left_out(ADDED_TOKENIZER, version), **values}


def usual_showcase(names: Sequence[str]) -> str:
    """Return the class that a model of these shows first where nobody has chosen one; empty: the first one."""
    return next((name for name in ("Sunflower", "macaw") if name in names), "")


def split_format(what: str, values: Mapping[str, object]) -> tuple[int, Fields]:
    """Return the format that a file's values were written in, and the values without it.

    ValueError that calls the file `what` if a later version of this program wrote them.
    """
    fields = {**values}
    found = fields.pop(FORMAT_KEY, 1)
    if type(found) is not int or not 1 <= found <= FORMAT:
        raise ValueError(f"{what} has format {found}, and formats 1 to {FORMAT} can be read: update this program.")
    return found, fields
