"""Small pictures of what each setting does, which ship with the app: its help shows them."""

from var_core.config import Sampling
from var_core.editing.edit_settings import EditSettings
from var_core.files import ASSETS
from var_core.settings import Declared, Setting, Value, rows

FOLDER = ASSETS / "settings"
ADDRESS = "/settings"  # where the app serves that folder
CLASS = "pictured"  # of the widgets
TABLES: tuple[type[Declared], ...] = (Sampling, EditSettings)
SWITCHED = (False, True)
# Of each setting, by its name: a low, a middle and a high value, or both of a switch.
VALUES: dict[str, tuple[Value, ...]] = {
    "guidance": (0, 4, 20),
    "ramp": (0, 0.5, 1),
    "temperature": (0.5, 1, 2),
    "cooling": (0, 0.5, 0.95),
    "top_k": (1, 30, 1000),
    "top_p": (0.3, 0.8, 1),
    "smooth": SWITCHED,
    "unguided_scales": (0, 3, 6),
    "reused_scales": (0, 3, 6),
    "spatial_guidance": (0, 1, 4),
    "fill": ("none", "mean", "navier-stokes"),
    "first_free_scale": (0, 3, 6),
    "min_coverage": (0.1, 0.6, 1),
    "follow": SWITCHED,
    "match": SWITCHED,
    "detail": SWITCHED,
    "dilate": (-8, 0, 12),
    "feather": (0, 16, 64),
    "context": (1.15, 2, 4),
    "harmonise": (0, 4, 16),
    "shown": SWITCHED,
    "candidates": (1, 3, 8),
    "soft": SWITCHED,
    "likeness": (0, 4, 8),
    "smallest_square": (0.25, 0.5, 1),
}


def pictured() -> dict[str, tuple[type[Declared], Setting]]:
    """Return the table and the row of each setting that has pictures, by its name."""
    return {row.name: (table, row) for table in TABLES for row in rows(table) if row.name in VALUES}


def pictured_values() -> dict[str, dict[str, object]]:
    """Return, by the name of each setting that has pictures, its label and the values that they show, as text."""
    return {
        name: {"label": row.label, "values": [row.told(value) for value in VALUES[name]]}
        for name, (_, row) in pictured().items()
    }
