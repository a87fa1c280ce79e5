"""The commands that draw: generate, and replay from a picture's recipe."""

from dataclasses import replace

from PIL import Image
from support.command import fails, run
from support.pictures import painted_photo

from var_core.recipe import Recipe


def test_generate_writes_pictures_whose_replay_gives_the_same_pixels(model, tmp_path):
    assert (
        run("generate", "--model", model, "--class", "lotus", "--seed", 7, "--count", 2, "--out", tmp_path, "--scales")
        == 0
    )
    picture = tmp_path / "lotus-seed-8.png"
    assert Recipe.read(picture).seed == 8
    with Image.open(tmp_path / "lotus-seed-8-scales.png") as strip:
        assert strip.size == (4 * 34 - 2, 32)
    assert run("replay", picture, "--model", model) == 0
    with Image.open(picture) as first, Image.open(tmp_path / "lotus-seed-8-again.png") as second:
        assert first.tobytes() == second.tobytes()


def test_a_picture_of_another_version_of_the_model_is_made_anew_with_its_settings_if_asked(model, tmp_path, capsys):
    assert run("generate", "--model", model, "--class", "lotus", "--out", tmp_path / "a.png") == 0
    with Image.open(tmp_path / "a.png") as picture:
        replace(Recipe.read(tmp_path / "a.png"), digest="f" * 12).save(picture, tmp_path / "older.png")
    assert "add --anyway" in fails(capsys, "replay", tmp_path / "older.png", "--model", model)
    assert run("replay", tmp_path / "older.png", "--model", model, "--anyway") == 0
    with Image.open(tmp_path / "a.png") as first, Image.open(tmp_path / "older-again.png") as again:
        assert first.tobytes() == again.tobytes()


def test_generate_draws_several_classes_and_seeds_that_go_on_with_another(model, tmp_path, capsys):
    asked = ("generate", "--model", model, "--class", "lotus", "--class", "sea", "--seed", "7, 9 from scale 3")
    assert run(*asked, "--count", 2, "--out", tmp_path) == 0
    assert "4 pictures in" in capsys.readouterr().out
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == [f"{name}-seed-7-then-{seed}.png" for name in ("lotus", "sea") for seed in (10, 9)]
    assert run("replay", tmp_path / names[2], "--model", model) == 0
    with Image.open(tmp_path / names[2]) as first, Image.open(tmp_path / "sea-seed-7-then-10-again.png") as second:
        assert first.tobytes() == second.tobytes()
    assert "count 501 is out of range: choose 1 to 500" in fails(capsys, *asked, "--count", 501, "--out", tmp_path)
    assert "write a whole number" in fails(capsys, *asked[:-1], "7, 9", "--out", tmp_path)


def test_out_is_a_folder_or_a_file_that_ends_in_png(model, tmp_path, capsys):
    photo, mask = painted_photo(tmp_path)
    made, edited, again = (tmp_path / "new" / f"{name}.png" for name in ("made", "edited", "again"))
    task = ("generate", "--model", model, "--class", "lotus", "--out", made)
    assert run(*task, "--scales") == 0 and made.is_file() and made.with_name("made-scales.png").is_file()
    assert "is a single file: name a folder for 2 pictures" in fails(capsys, *task, "--count", 2)
    assert run("edit", photo, "--model", model, "--mask", mask, "--out", edited) == 0
    assert Recipe.read(edited).edited and edited.with_name("edited-mask.png").is_file()
    assert run("replay", made, "--model", model, "--out", again) == 0
    assert run("replay", made, "--model", model, "--out", tmp_path / "folder") == 0
    assert again.read_bytes() == (tmp_path / "folder" / "made-again.png").read_bytes() == made.read_bytes()


def test_generate_leaves_what_is_there(model, tmp_path, capsys):
    asked = ("generate", "--model", model, "--class", "lotus", "--seed", 7, "--out", tmp_path)
    assert run(*asked) == run(*asked) == run(*asked, "--guidance", 0.5) == 0
    assert "lotus-seed-7.png is there already: lotus-seed-7-2.png instead" in capsys.readouterr().out
    guidance = [Recipe.read(tmp_path / f"lotus-seed-7{ending}.png").sampling.guidance for ending in ("", "-2")]
    assert guidance[0] != guidance[1] == 0.5 and len(list(tmp_path.glob("lotus*.png"))) == 2
