"""Files that the page offers: one folder a run, and old ones of other servers go."""

import os
import time
from pathlib import Path

import pytest

from var_studio.shared import served_files


def made(cache: Path) -> Path:
    with served_files.fresh_folder(str(cache)) as folder:
        return folder


def test_old_folders_of_other_servers_go_and_all_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (others := tmp_path / "of-gradio").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(served_files, "SERVER", "another")
        old, new = made(tmp_path), made(tmp_path)
    own = made(tmp_path)
    (old / "picture.png").write_bytes(b"old")
    for folder in (old, others, own):
        os.utime(folder, (0, time.time() - served_files.KEPT - 1))
    made(tmp_path)
    assert not old.exists() and all(folder.exists() for folder in (new, others, own))


def test_an_error_takes_what_was_written_with_it(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), served_files.fresh_folder(str(tmp_path)) as folder:
        (folder / "picture.png").write_bytes(b"half of it")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_visitor_s_own_folder_is_one_and_goes_with_the_session(tmp_path: Path):
    mark = served_files.mark_of("anna")
    folder = served_files.lasting_folder(str(tmp_path), mark)
    assert served_files.lasting_folder(str(tmp_path), mark) == folder and folder.is_dir()
    served_files.remove(str(tmp_path), "anna")
    assert not folder.exists()


def test_a_folder_that_is_held_stays_for_a_while_after_its_session_and_counts_as_new(tmp_path: Path):
    folder, other = made(tmp_path), made(tmp_path)
    (folder / "picture.png").write_bytes(b"kept")
    os.utime(folder / "picture.png", (0, 0))
    served_files.hold(folder)
    assert (folder / "picture.png").stat().st_mtime > 0 and served_files.folder_bytes(folder) == 4
    assert not served_files.remove(str(tmp_path), "", 100.0)
    assert folder.exists() and not other.exists()
    (folder / served_files.HELD).write_text(str(time.monotonic() - 101))
    assert served_files.remove(str(tmp_path), "", 100.0) and not folder.exists()
    served_files.hold(folder)  # which is gone
    assert served_files.folder_bytes(folder) == 0 and not folder.exists()


def test_files_of_a_canvas_go_sooner_than_those_that_somebody_has_chosen(tmp_path: Path):
    files, now = [tmp_path / name for name in ("layer_0.png", "background.png", "photo.png")], [0.0]
    for file in files:
        file.write_bytes(b"sent")
    noted = served_files.NotedFiles([{str(file) for file in files}], lambda: now[0])
    for now[0] in (100.0, 100.0 + served_files.PAINTED, 101.0 + served_files.PAINTED):
        assert all(file.exists() for file in files)
        noted.sweep(3600)
    now[0] += served_files.LOOKED
    noted.sweep(3600)
    assert [file.exists() for file in files] == [False, False, True]
