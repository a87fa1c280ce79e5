"""The pictures of all visits: each visitor's own, within their limits, favourites longest."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from support.visits import kept_in

from var_studio.shared import served_files
from var_studio.shared.limits import HOME
from var_studio.shared.visits import GUESTS, REFRESH, Visits


@pytest.fixture
def visits() -> Visits:
    return Visits(HOME, lambda: 0.0)


def test_a_visitor_s_pictures_are_found_by_the_token_alone(visits: Visits, tmp_path: Path):
    first, second = kept_in(tmp_path), kept_in(tmp_path)
    anna = visits.add(None, first)
    assert visits.add(anna, second) == anna
    ben = visits.add("guessed", kept_in(tmp_path))
    assert isinstance(anna, str) and anna != ben and ben != "guessed"
    assert visits.pictures(anna) == (*first, *second)
    for nobody in (None, "guessed", 3, [anna]):
        assert visits.pictures(nobody) == ()
    with pytest.raises(ValueError, match="no longer kept"):
        visits.find(ben, first[0].name)
    with pytest.raises(ValueError, match="no longer kept"):
        visits.delete(ben, first[0].name)
    assert visits.find(anna, first[0].name) is first[0]


def test_pictures_are_kept_once_also_where_the_token_has_not_come_back_yet(visits: Visits, tmp_path: Path):
    pictures = kept_in(tmp_path, 2)
    anna = visits.add(None, pictures)
    assert visits.add(anna, pictures) == visits.add(None, pictures) == anna
    assert visits.pictures(anna) == tuple(pictures)


def test_pictures_without_files_are_none(visits: Visits, tmp_path: Path):
    gone = [replace(one, file=str(tmp_path / "gone.png")) for one in kept_in(tmp_path)]
    assert visits.add(None, gone) is None
    token = visits.add(None, pictures := kept_in(tmp_path))
    served_files.drop(pictures[0].folder)
    assert visits.pictures(token) == ()


def test_the_oldest_go_when_there_are_too_many_with_their_files_and_favourites_last(tmp_path: Path):
    visits = Visits(replace(HOME, kept_pictures=4), lambda: 0.0)
    groups = [kept_in(tmp_path, 2) for _ in range(4)]
    token = visits.add(None, groups[0])
    visits.star(token, groups[0][0].name)
    for group in groups[1:3]:
        visits.add(token, group)
    assert [one.name for one in visits.pictures(token)] == [one.name for one in (*groups[0], *groups[2])]
    assert not groups[1][0].folder.exists() and groups[0][0].folder.exists()
    visits.star(token, groups[2][0].name)
    visits.add(token, groups[3])
    names = [one.name for one in visits.pictures(token)]
    assert names == [one.name for one in (*groups[2], *groups[3])]  # of favourites the oldest


def test_the_latest_stay_whatever_they_take(tmp_path: Path):
    visits = Visits(replace(HOME, kept_mb=1), lambda: 0.0)
    token = visits.add(None, kept_in(tmp_path, size=600_000))
    visits.add(token, second := kept_in(tmp_path, size=600_000))
    assert visits.pictures(token) == tuple(second)
    visits.add(token, held := [replace(kept_in(tmp_path)[0], nbytes=990_000)])
    assert visits.pictures(token) == tuple(held)  # with what they take of memory the two were too much
    visits.add(token, large := kept_in(tmp_path, size=2_000_000))
    assert visits.pictures(token) == tuple(large)


@pytest.mark.parametrize("limits", [{"visitors": 2}, {"all_kept_mb": 1}, {"idle_minutes": 1}])
def test_who_has_been_idle_for_longest_loses_the_pictures_that_all_together_have_no_room_for(
    tmp_path: Path, limits: dict[str, int]
):
    now = [0.0]
    visits = Visits(replace(HOME, **limits), lambda: now[0])
    anna = visits.add(None, hers := kept_in(tmp_path, size=400_000))
    ben = visits.add(None, kept_in(tmp_path, size=400_000))
    visits.pictures(anna)
    now[0] = 59.0
    visits.pictures(anna)
    now[0] = 61.0
    cleo = visits.add(None, kept_in(tmp_path, size=400_000))
    assert visits.pictures(ben) == () and visits.pictures(anna) == tuple(hers) and visits.pictures(cleo)


def test_a_star_comes_and_goes_and_keeps_a_picture_from_being_deleted(visits: Visits, tmp_path: Path):
    token = visits.add(None, kept_in(tmp_path, 2))
    name = visits.pictures(token)[0].name
    assert visits.star(token, name).favourite and visits.find(token, name).favourite
    with pytest.raises(ValueError, match="take its star away"):
        visits.delete(token, name)
    assert not visits.star(token, name).favourite


def test_a_deleted_picture_s_files_go_with_the_last_of_those_made_with_it(visits: Visits, tmp_path: Path):
    one, two = kept_in(tmp_path, 2)
    token = visits.add(None, [one, two])
    assert visits.delete(token, one.name) is two and two.folder.exists()
    assert visits.delete(token, two.name) is None and not two.folder.exists()


def test_chosen_pictures_come_in_one_file_and_the_one_before_goes(visits: Visits, tmp_path: Path):
    one, two, three = kept_in(tmp_path, 3)
    token = visits.add(None, [one, two, three])
    first = Path(visits.pack(token, [three.name, one.name, three.name], str(tmp_path)))
    with zipfile.ZipFile(first) as packed:
        *pictures, words = packed.namelist()
        assert [packed.read(name) for name in pictures] == [Path(each.file).read_bytes() for each in (three, one)]
        assert packed.read(words).decode().splitlines() == [f"{pictures[0]}: picture 2", f"{pictures[1]}: picture 0"]
    second = Path(visits.pack(token, [two.name], str(tmp_path)))
    assert second.exists() and not first.exists()
    for names, words in (([], "No picture is ticked"), (["other"], "no longer kept"), ([[]], "no longer kept")):
        with pytest.raises(ValueError, match=words):
            visits.pack(token, names, str(tmp_path))


def test_files_of_a_visit_that_goes_on_are_held_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    held: list[Path] = []
    monkeypatch.setattr(served_files, "hold", held.append)
    now = [0.0]
    visits = Visits(HOME, lambda: now[0])
    token = visits.add(None, pictures := kept_in(tmp_path))
    visits.pictures(token)
    assert held == [pictures[0].folder]
    now[0] = REFRESH + 1
    visits.pictures(token)
    visits.pictures(token)
    assert held == [pictures[0].folder] * 2


def test_what_a_page_has_left_behind_comes_to_its_visit_whose_token_it_has_had_from_the_beginning(
    visits: Visits, tmp_path: Path
):
    token = visits.welcome("guessed", "page")
    assert token != "guessed" and visits.welcome(token, "page of the reload") == token
    visits.leave("page", made := kept_in(tmp_path, 2))
    assert visits.pictures(token) == tuple(made)
    assert visits.add(token, made) == token and visits.pictures(token) == tuple(made)
    visits.leave("nobody", kept_in(tmp_path))
    assert visits.pictures(token) == tuple(made)


def test_so_many_pages_are_known_and_nobody_s_pictures_go_for_those_who_only_come(visits: Visits, tmp_path: Path):
    token = visits.add(None, made := kept_in(tmp_path))
    first = visits.welcome(None, "first")
    for number in range(GUESTS):
        visits.welcome(None, str(number))
    visits.leave("first", kept_in(tmp_path))
    assert visits.welcome(first, "again") != first and visits.pictures(token) == tuple(made)
