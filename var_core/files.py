"""Where files lie: what travels with the project, and what the user downloads, converts or trains.

In a checkout `assets/` and `checkpoints/` are its top-level folders; an installed package carries them inside.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent
SHIPPED = CHECKOUT if (CHECKOUT / "pyproject.toml").is_file() else PACKAGE / "shipped"
ASSETS = SHIPPED / "assets"
CHECKPOINTS = SHIPPED / "checkpoints"
