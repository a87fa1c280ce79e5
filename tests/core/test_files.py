"""Where models are looked for and written: what ships, the user's folder, and never the installed package.

Files appear whole or not at all.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
import pytest
from support import hub, tiny
from support.command import fails, run

from var_core import cli, files
from var_core.config import ON_CPU
from var_core.engine.pipeline import Pipeline
from var_core.files import CHECKPOINTS, HOME, model_folders, replacing, user_folder, user_models, where_models_go
from var_core.weights import checkpoints
from var_core.weights.checkpoints import DEFAULT, available, file_for, find, new_file, refuse_shipped
from var_core.weights.download import downloads
from var_studio import main as app


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder that holds one model, "tiny"."""
    monkeypatch.setenv(HOME, str(tmp_path))
    user_models().mkdir()
    tiny.write(user_models())
    return tmp_path


def test_the_variable_names_the_folder_and_else_the_system_does(monkeypatch, tmp_path):
    monkeypatch.setenv(HOME, str(tmp_path))
    assert user_folder() == tmp_path and user_models() == tmp_path / "models"
    monkeypatch.setenv(HOME, "~/studio")
    assert user_folder() == Path.home() / "studio"
    for nothing in ("", None):
        monkeypatch.setenv(HOME, nothing) if nothing is not None else monkeypatch.delenv(HOME)
        assert user_folder() == platformdirs.user_data_path("var-studio", appauthor=False)


def test_a_relative_folder_stays_the_same_one_in_another_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME, "mine")
    assert user_folder() == tmp_path / "mine"


def test_asking_makes_no_folders(monkeypatch, tmp_path):
    monkeypatch.setenv(HOME, str(tmp_path / "absent"))
    assert DEFAULT in available() and find(DEFAULT).parent == CHECKPOINTS and new_file("mine") and downloads(None)
    assert not list(tmp_path.iterdir())


def test_what_is_trained_goes_into_the_checkout_or_else_to_the_user(home, monkeypatch):
    assert files.runs_folder() == files.PACKAGE.parent / "runs"
    monkeypatch.setattr(files, "SHIPPED", files.PACKAGE / "shipped")
    assert files.runs_folder() == home / "runs"


def test_what_ships_is_looked_in_first_and_the_user_s_models_are_found_too(home):
    assert model_folders() == (CHECKPOINTS, home / "models")
    assert {DEFAULT, "tiny"} <= set(available())
    assert find("tiny") == file_for("tiny") == home / "models" / "tiny.safetensors"
    (home / "models" / f"{DEFAULT}.safetensors").write_bytes(b"another")
    assert find(DEFAULT).parent == CHECKPOINTS and available().count(DEFAULT) == 1


@pytest.mark.usefixtures("home")
def test_a_folder_that_is_given_is_the_only_one_looked_in(tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    assert available(empty) == [] and file_for("tiny", empty).parent == downloads(empty).parent == empty
    with pytest.raises(ValueError, match="There is no model 'tiny'"):
        find("tiny", empty)


@pytest.mark.usefixtures("home")
def test_a_model_of_the_user_s_is_loaded_by_its_name():
    assert Pipeline.load("tiny", ON_CPU).spec == tiny.SPEC


def test_new_models_go_to_the_user_s_folder_but_not_where_another_hides_them(home):
    assert new_file("mine").parent == new_file("tiny").parent == home / "models"
    with pytest.raises(ValueError, match=f"looked in first, has a model {DEFAULT}: give another --name, or --out"):
        new_file(DEFAULT)


@pytest.mark.slow
def test_convert_writes_to_the_user_s_folder(home, tmp_path_factory, capsys):
    transformer, _ = hub.write("plain", tmp_path_factory.mktemp("published"))
    assert run("convert", "--transformer", transformer, "--name", "converted") == 0
    assert str(home / "models" / "converted.safetensors") in capsys.readouterr().out
    assert checkpoints.read_spec(find("converted")).name == "converted"
    assert "give another --name" in fails(capsys, "convert", "--transformer", transformer, "--name", DEFAULT)


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_convert_takes_a_folder_or_a_file_and_writes_nothing_into_the_package(tmp_path, monkeypatch, capsys):
    transformer, _ = hub.write("plain", tmp_path)
    asked = ("convert", "--transformer", transformer, "--name", "converted", "--out")
    assert run(*asked, tmp_path / "v1.5") == run(*asked, tmp_path / "own.safetensors") == 0
    assert (tmp_path / "v1.5" / "converted.safetensors").is_file() and (tmp_path / "own.safetensors").is_file()
    assert "end the name with .safetensors, or name a folder" in fails(capsys, *asked, tmp_path / "own.pth")
    monkeypatch.setattr(checkpoints, "PACKAGE", tmp_path / "var_core")
    assert "belongs to the installed package" in fails(capsys, *asked, tmp_path / "var_core" / "shipped")
    assert not (tmp_path / "var_core").exists()


def test_nothing_is_written_among_the_files_of_an_installed_package(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "PACKAGE", tmp_path / "var_core")
    refuse_shipped(tmp_path / "elsewhere" / "a.webp")
    with pytest.raises(ValueError, match="belongs to the installed package"):
        refuse_shipped(tmp_path / "var_core" / "shipped" / "checkpoints" / "a.webp")


@pytest.mark.parametrize("program", [cli.main, app.main])
def test_a_folder_of_somebody_unknown_is_refused_in_one_sentence(program, monkeypatch, capsys):
    monkeypatch.setenv(HOME, "~nosuchuser/x")
    assert program(["--help"]) == 2
    told = capsys.readouterr().err
    assert f"{HOME} is '~nosuchuser/x'" in told and told.count("\n") == 1


@pytest.mark.parametrize("program", [cli.main, app.main])
def test_the_help_says_where_models_go(program, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(HOME, str(tmp_path / "100%"))
    with pytest.raises(SystemExit, match="0"):
        program(["--help"])
    told = "".join(capsys.readouterr().out.split())
    assert "".join(where_models_go().split()) in told and str(tmp_path / "100%" / "models") in told


def test_what_is_written_takes_the_place_of_the_file_at_the_end(tmp_path: Path):
    path = tmp_path / "kept"
    path.write_text("old")
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "kept"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        part.write_text("half of")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def write_same(path: Path) -> None:
    with replacing(path) as part:
        part.write_text("same")


def test_two_writers_do_not_meet(tmp_path: Path):
    path = tmp_path / "kept"
    with ThreadPoolExecutor(1) as other, replacing(path) as first:
        first.write_text("same")
        other.submit(write_same, path).result()
        assert first.read_text() == path.read_text() == "same"
    assert path.read_text() == "same" and list(tmp_path.iterdir()) == [path]
