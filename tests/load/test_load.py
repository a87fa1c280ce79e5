"""The tool that loads a served app, with few visitors for a few seconds: nothing is mixed up, nothing fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support import tiny

from tools.load import __main__ as load
from tools.load.acts import MIX, Made, Visit, scales
from tools.load.crowd import Tally, checked, crowd
from tools.load.loop import again, difference
from tools.load.person import Person, Told
from tools.load.server import Server, served
from tools.load.signs import WRITING, edited, phases
from var_core.config import ON_CPU
from var_core.engine.pipeline import Pipeline
from var_studio.shared import run as runs

SECONDS = 5
LIMITS = ("--limit", "idle_minutes=10")  # as the tool's command asks for by itself


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Server]:
    with served(str(model), *LIMITS) as found:
        yield found


@pytest.fixture(scope="module")
def tally(server: Server, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Tally:
    found = crowd(server, 3, SECONDS / 60, tmp_path_factory.mktemp("files"))
    checked(found, Pipeline.load(str(model), ON_CPU))
    return found


def test_every_result_is_what_its_own_recipe_says_and_nothing_fails(tally: Tally):
    assert not tally.errors and not tally.wrong
    assert sum(len(one.files) for one in tally.made) >= 3


def test_the_table_names_all_that_was_measured(tally: Tally):
    rows = dict(tally.rows())
    assert rows["errors"] == "none" and rows["results that are not what their recipes say"].startswith("0 of ")
    assert {"throughput against a plain loop", "memory before, at most, and after, MB"} <= rows.keys()
    assert tally.peak > 10 and tally.loop_seconds > 0


def test_files_are_counted_while_they_go(server: Server):
    (server.folder / "studio-anna").mkdir()
    (server.folder / "studio-anna" / "picture.png").touch()
    before = server.files()
    (server.folder / "studio-anna" / "picture.png").unlink()
    assert server.files() == before - 1


def test_a_result_of_somebody_else_would_be_found(server: Server, model: Path, tmp_path: Path):
    with Person(server.address) as person:
        visit = Visit(person, tmp_path, seed=5)
        first, second = visit.do("create"), visit.do("create")
    found = Tally(made=[first])
    checked(found, Pipeline.load(str(model), ON_CPU))
    assert not found.wrong and found.loop_seconds > 0
    pixels = [np.asarray(load_picture(one.files[0])) for one in (first, second)]
    assert "differ, by at most" in difference(*pixels) and not difference(pixels[0], pixels[0])


def test_of_a_run_that_was_stopped_a_plain_loop_makes_so_many_scales(model: Path, tmp_path: Path, monkeypatch):
    pipe, drawn = Pipeline.load(str(model), ON_CPU), []
    monkeypatch.setattr(runs, "pictures", lambda _pipe, run: drawn.append(run.progress.last.scale))
    for act in ("stop", "leave"):
        made = Made(
            act, Told(0.0), name=pipe.spec.class_name(1), scales=scales(["scale 1 of 3", "stopped after scale 2 of 3"])
        )
        assert again(pipe, made, tmp_path)[1] == []
    assert drawn == [0, 1, 0, 1]


def load_picture(file: Path) -> np.ndarray:
    from var_core.picture_reading import open_photo

    return open_photo(file)


@pytest.mark.parametrize("act", MIX)
def test_each_act_is_done_as_on_the_page(server: Server, tmp_path: Path, act: str):
    with Person(server.address) as person:
        made = Visit(person, tmp_path, seed=3).do(act)
    assert not made.told.error and all(file.stat().st_size for file in made.files)
    assert bool(made.files) == (act in ("create", "edit", "explore"))
    assert (made.scales > 0) == (act in ("stop", "leave"))


def test_what_a_run_tells_is_divided_into_drawing_and_writing(server: Server, tmp_path: Path):
    with Person(server.address) as person:
        told = edited(person, tmp_path, 400)
    drawn, written = phases(told)
    assert drawn > 0 and written > 0 and any(WRITING in words for words in told.words)
    assert 0 < told.first_sign < told.seconds


def test_memory_is_looked_at_once_in_so_many_runs(
    server: Server, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    @contextmanager
    def there_already(*asked: str) -> Iterator[Server]:
        assert asked == (str(model), *LIMITS)
        yield server

    monkeypatch.setattr(load, "served", there_already)
    monkeypatch.setattr(load, "settled", lambda served, minutes: (served.megabytes(), int(minutes)))  # without waiting
    load.main(["--model", str(model), "--alone", "--runs", "4", "--every", "2"])
    told = capsys.readouterr().out
    assert "MB after 2 runs" in told and "MB after 4 runs" in told and "| errors | none |" in told
    assert "| files left then | 10 |" in told


def test_a_wait_ends_when_something_is_drawn():
    assert Told(1.0, began=3.0, ended=9.0).waited == 2 and Told(1.0, ended=9.0).waited == 8
