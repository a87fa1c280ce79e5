"""The app with one tiny model as the only published one, in a folder of its own: `published_app.py FOLDER FLAGS...`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from var_core.weights import checkpoints, registry  # noqa: E402

checkpoints.FOLDER = Path(sys.argv[1])

from support import hub  # noqa: E402

registry.MODELS.clear()
registry.MODELS[hub.model("plain").name] = hub.model("plain")

from var_studio import main as app  # noqa: E402

sys.exit(app.main(sys.argv[2:]))
