"""The app with one tiny model as the only published one: `published_app.py FLAGS...`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support import hub  # noqa: E402

from var_core.weights import registry  # noqa: E402

registry.MODELS.clear()
registry.MODELS[hub.model("plain").name] = hub.model("plain")

from var_studio import main as app  # noqa: E402

sys.exit(app.main(sys.argv[1:]))
