"""Files that the page offers: one folder a run, and old ones go."""

import os
import time
from pathlib import Path

from var_studio.shared import served_files


def test_old_folders_go_and_new_ones_stay(tmp_path: Path):
    (others := tmp_path / "of-gradio").mkdir()
    old, new = served_files.fresh_folder(str(tmp_path)), served_files.fresh_folder(str(tmp_path))
    (old / "picture.png").write_bytes(b"old")
    for folder in (old, others):
        os.utime(folder, (0, time.time() - served_files.KEPT - 1))
    served_files.fresh_folder(str(tmp_path))
    assert not old.exists() and new.exists() and others.exists()
