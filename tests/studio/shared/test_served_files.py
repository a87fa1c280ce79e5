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


def test_a_folder_that_is_held_stays_for_a_while_after_its_session_and_counts_as_new(tmp_path: Path):
    folder, other = (served_files.fresh_folder(str(tmp_path)) for _ in range(2))
    (folder / "picture.png").write_bytes(b"kept")
    os.utime(folder / "picture.png", (0, 0))
    served_files.hold(folder)
    assert (folder / "picture.png").stat().st_mtime > 0 and served_files.size(folder) == 4
    assert not served_files.remove(str(tmp_path), "", 100.0)
    assert folder.exists() and not other.exists()
    os.utime(folder / served_files.HELD, (0, time.time() - 101))
    assert served_files.remove(str(tmp_path), "", 100.0) and not folder.exists()
    served_files.hold(folder)  # which is gone
    assert served_files.size(folder) == 0 and not folder.exists()
