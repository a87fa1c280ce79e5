"""The command that edits photos, end to end, on the tiny model."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageChops
from support.command import fails, run
from support.pictures import painted_photo
from support.profiles import SRGB, swapped_profile

from var_core import picture_files
from var_core.cli import parser
from var_core.cli.edits import settings_of
from var_core.editing.edit_settings import CHANGING, FAINTEST, FILLING_TOP_K, REMOVING, REPAINTING
from var_core.picture_reading import open_photo
from var_core.recipe import Recipe


@pytest.mark.parametrize(("suffix", "form"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP"), (".png", "PNG")])
def test_an_edit_is_the_kind_of_file_that_its_name_says_and_keeps_what_the_photo_s_file_held(
    model, tmp_path, capsys, suffix, form
):
    photo, mask = painted_photo(tmp_path)
    told = Image.Exif()
    told[0x010E] = "a garden"
    with Image.open(photo) as picture:
        picture.save(tmp_path / "own.png", exif=told, icc_profile=SRGB)
    made = tmp_path / f"made{suffix}"
    task = ("edit", tmp_path / "own.png", "--model", model, "--mask", mask, "--out", made)
    assert run(*task) == 0
    with Image.open(made) as opened:
        assert opened.format == form and opened.getexif()[0x010E] == "a garden"
        assert opened.info["icc_profile"] == SRGB
    assert Recipe.read(made).edited and (tmp_path / "made-mask.png").is_file()
    again = tmp_path / "again.png"
    assert run("edit", tmp_path / "own.png", "--model", model, "--mask", mask, "--like", made, "--out", again) == 0
    assert Recipe.read(again).edited == Recipe.read(made).edited
    assert "is a single file: name a folder for 2 pictures" in fails(capsys, *task, "--count", 2)
    assert "end the name with" in fails(capsys, *task[:-1], tmp_path / "made.gif")


def test_a_kind_of_file_that_cannot_hold_the_result_is_refused_before_the_work(model, tmp_path, capsys, monkeypatch):
    photo, mask = painted_photo(tmp_path)
    monkeypatch.setitem(picture_files.SIDE_LIMITS, picture_files.WEBP, 70)
    monkeypatch.setattr("var_core.cli.edits.run_edit", None)  # the work would fail otherwise
    task = ("edit", photo, "--model", model, "--mask", mask, "--extend", "0,0,40,0", "--out", tmp_path / "out.webp")
    assert "a WebP file holds 70 a side at most. Choose PNG" in fails(capsys, *task)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([photo.name, mask.name])


def test_an_edit_of_a_photo_that_was_made_srgb_at_first_is_repeated(model, tmp_path):
    photo, mask = painted_photo(tmp_path)
    with Image.open(photo) as picture:
        tinted = ImageChops.multiply(picture.convert("RGB"), Image.new("RGB", picture.size, (255, 120, 40)))
    tinted.save(tmp_path / "wide.png", icc_profile=swapped_profile())
    Image.fromarray(open_photo(tmp_path / "wide.png")).save(tmp_path / "first.png")
    task = ("edit", "--model", model, "--mask", mask, "--out")
    assert run(*task, tmp_path / "before.png", tmp_path / "first.png") == 0
    like = ("--like", tmp_path / "before.png")
    assert run(*task, tmp_path / "again.png", tmp_path / "wide.png", *like) == 0
    with Image.open(tmp_path / "before.png") as before, Image.open(tmp_path / "again.png") as again:
        assert before.tobytes() == again.tobytes() and "icc_profile" not in again.info


def test_a_folder_of_photos_is_edited_and_goes_on_after_errors(model, tmp_path, capsys):
    photos, masks, out = tmp_path / "photos", tmp_path / "masks", tmp_path / "out"
    for folder in (photos, masks):
        folder.mkdir()
    for name in ("a", "b", "c"):
        photo, mask = painted_photo(tmp_path)
        Image.open(photo).save(photos / f"{name}.png")
        Image.open(mask).save(masks / f"{name}.png")
    (masks / "b.png").unlink()
    (photos / "c.png").write_bytes(b"no picture")
    (photos / "note.txt").write_text("no photo")
    (tmp_path / "none").mkdir()
    task = ("edit", photos, "--model", model, "--out", out)
    told = fails(capsys, *task, "--masks", masks)
    assert "2 photos of 3 could not be edited" in told
    lines = (out / "edits.csv").read_text().splitlines()
    assert lines[0] == "photo,results,seconds,problem" and [line[:5] for line in lines[1:]] == [
        "a.png",
        "b.png",
        "c.png",
    ]
    made = out / lines[1].split(",")[1]
    assert Recipe.read(made).edited and lines[1].endswith(",") and "has no mask called b" in lines[2]
    (photos / "c.png").unlink()
    assert run(*task, "--extend", "0,0,8,0") == 0
    with Image.open(photos / "b.png") as before, Image.open(next(out.glob("b-*.png"))) as after:
        assert after.width == before.width + 8
    assert "holds no photos" in fails(capsys, "edit", out.parent / "none", *task[2:], "--extend", "0,0,8,0")
    assert "leave out" in fails(capsys, *task, "--mask", masks / "a.png")
    assert "--masks is for a folder" in fails(capsys, "edit", photos / "a.png", "--model", model, "--masks", masks)


def test_edits_are_written_with_recipes_that_repeat_them(model, tmp_path, capsys):
    photo, mask, out = tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "out"
    Image.linear_gradient("L").resize((60, 40)).convert("RGB").save(photo)
    painted = Image.new("L", (30, 20))
    painted.paste(255, (10, 5, 20, 15))
    painted.save(mask)
    task = ("edit", photo, "--model", model, "--mask", mask, "--into", "rose", "--seed", 3, "--count", 2, "--out", out)
    assert run(*task, "--extend", "4,0,0,9") == 0
    assert "mask.png has 30 x 20 pixels, the photo 60 x 40: mask resized" in capsys.readouterr().out
    first, second = (out / f"photo-rose-edit-seed-{seed}.png" for seed in (3, 4))
    with Image.open(first) as opened:
        assert opened.size == (64, 49)
    kept = out / "photo-mask.png"
    again = ("edit", photo, "--model", model, "--mask", kept, "--out", tmp_path / "again")
    assert run(*again, "--like", second) == 0
    told = fails(capsys, *again, "--like", second, "--seed", 9, "--no-follow", "--guidance", 2)
    assert "--like says all of that: leave out --seed, --follow, --guidance, or --like" in told
    with Image.open(second) as a, Image.open(tmp_path / "again" / second.name) as b:
        assert a.tobytes() == b.tobytes()
    assert "not the mask that the picture was made of" in fails(
        capsys, "edit", photo, "--model", model, "--like", second
    )
    assert "is an edit of a photo" in fails(capsys, "replay", second, "--model", model)
    with Image.open(kept) as saved:
        assert np.asarray(saved).sum() == 20 * 20


def test_a_box_says_where_the_model_looks(model, tmp_path, capsys):
    photo, mask = painted_photo(tmp_path)
    task = ("edit", photo, "--model", model, "--mask", mask, "--out", tmp_path / "out")
    assert run(*task, "--box", "30,8,32") == 0
    result = tmp_path / "out" / "photo-no-class-edit-seed-0.png"
    assert Recipe.read(result).edited.boxes == ((30, 8, 32),)
    with Image.open(result) as after, Image.open(photo) as before:
        changed = (np.asarray(after) != np.asarray(before)).any(-1)
    assert changed[20:30, 40:52].any() and not changed[:, :30].any()
    kept = ("--mask", tmp_path / "out" / "photo-mask.png", "--like", result, "--out", tmp_path / "again")
    assert run("edit", photo, "--model", model, *kept) == 0
    assert (tmp_path / "again" / result.name).read_bytes() == result.read_bytes()
    assert "leave out --box or --extend" in fails(capsys, *task, "--box", "30,8,32", "--extend", "5,0,0,0")
    assert "Nothing is painted inside the box" in fails(capsys, *task, "--box", "16,0,20")
    assert "misses the photo of 60 x 40" in fails(capsys, *task, "--box=-9,0,9")
    assert "three numbers" in fails(capsys, *task, "--box", "1,2")


def test_an_edit_overwrites_nothing(model, tmp_path, capsys):
    photo, mask = painted_photo(tmp_path)
    own = {"photo-mask.png": b"notes", "photo-rose-edit-seed-0.png": photo.read_bytes()}
    for name, content in own.items():
        (tmp_path / name).write_bytes(content)
    task = ("edit", photo, "--model", model, "--mask", mask, "--into", "rose", "--out", tmp_path)
    assert run(*task) == 0
    assert "photo-mask-2.png instead" in capsys.readouterr().out
    made = ["photo-mask-2.png", "photo-rose-edit-seed-0-2.png"]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == sorted([photo.name, mask.name, *own, *made])
    assert all(before[name] == content for name, content in own.items())
    assert run(*task) == 0  # the very same results again
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert run(*task, "--guidance", 1) == 0
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after.keys() - before.keys() == {"photo-rose-edit-seed-0-3.png"} and after.items() >= before.items()


def test_a_mask_that_has_the_name_already_stays_if_it_shows_the_same(model, tmp_path):
    photo, mask = painted_photo(tmp_path)
    mine = mask.rename(tmp_path / "photo-mask.png")
    content = mine.read_bytes()
    assert run("edit", photo, "--model", model, "--mask", mine, "--out", tmp_path) == 0
    assert mine.read_bytes() == content and not (tmp_path / "photo-mask-2.png").exists()


@pytest.mark.parametrize(
    ("words", "usual"),
    [
        ("--mask m.png", REPAINTING),
        ("--mask m.png --remove", REMOVING),
        ("--mask m.png --into rose", CHANGING),
        ("--extend 1,0,0,0 --into rose", REPAINTING),
    ],
)
def test_each_task_has_its_own_settings_by_default(words, usual):
    plain = ["edit", "photo.png", *words.split()]
    assert settings_of(parser().parse_args(plain)) == usual
    asked = settings_of(parser().parse_args([*plain, "--first-free-scale", "1", "--min-coverage", "0.5"]))
    assert (asked.first_free_scale, asked.min_coverage) == (1, 0.5)


def test_an_edit_without_a_class_dares_less(model, tmp_path):
    photo, mask = painted_photo(tmp_path)
    for word, top_k in (("--remove", FILLING_TOP_K), ("--into=rose", 100), ("--top-k=77", 77)):
        assert run("edit", photo, "--model", model, "--mask", mask, "--out", tmp_path / "made.png", word) == 0
        recipe = Recipe.read(max(tmp_path.glob("made*.png"), key=lambda file: file.stat().st_mtime_ns))
        assert recipe.sampling.top_k == top_k


def test_an_edit_without_a_class_extends_alone(model, tmp_path):
    photo = tmp_path / "photo.png"
    Image.linear_gradient("L").resize((40, 40)).convert("RGB").save(photo)
    assert run("edit", photo, "--model", model, "--extend", "0,0,50,0", "--no-follow", "--out", tmp_path) == 0
    with Image.open(tmp_path / "photo-no-class-edit-seed-0.png") as opened:
        assert opened.size == (90, 40)
    assert not (tmp_path / "photo-mask.png").exists()


def test_edits_that_cannot_be_are_refused(model, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (40, 40)).save(photo)
    task = ("edit", photo, "--model", model, "--out", tmp_path)
    assert "Nothing to do: give a --mask" in fails(capsys, *task)
    assert "choose 0 or more for each side" in fails(capsys, *task, "--extend=-5,0,0,3")
    assert "min_coverage 3.0 is out of range: choose 0 to 1" in fails(
        capsys, *task, "--extend", "5,0,0,3", "--min-coverage", 3
    )
    assert "there is no such file" in fails(capsys, "edit", tmp_path / "gone.png", "--model", model)
    assert "four" in fails(capsys, *task, "--extend", "5,0")
    both = (*task, "--extend", "5,0,0,0", "--remove", "--into", "rose")
    assert "--remove draws no class: leave out --into, or --remove" in fails(capsys, *both)


def test_a_soft_mask_is_pasted_softly_kept_beside_the_result_and_repeated(model, tmp_path, capsys):
    photo, _ = painted_photo(tmp_path)
    with Image.open(photo) as picture:
        width, height = picture.size
        before = np.asarray(picture.convert("RGB")).astype(int)
    levels = np.tile(np.linspace(0, 255, width).round().astype(np.uint8), (height, 1))
    Image.fromarray(levels).save(tmp_path / "levels.png")
    task = ("edit", photo, "--model", model, "--mask", tmp_path / "levels.png", "--out")
    assert run(*task, tmp_path / "hard.png") == 0
    assert "greys, which are cut at half: --soft takes them" in capsys.readouterr().out
    assert run(*task, tmp_path / "soft.png", "--soft") == 0
    assert "greys" not in capsys.readouterr().out
    with Image.open(tmp_path / "soft-mask.png") as kept:
        assert np.array_equal(kept, np.where(levels < FAINTEST, 0, levels))
    change = np.abs(np.asarray(Image.open(tmp_path / "soft.png").convert("RGB")) - before).mean((0, 2))
    third = width // 3
    assert 0 < change[third // 2 : third].mean() < change[-third:].mean()
    like = ("--like", tmp_path / "soft.png")
    again = ("edit", photo, "--model", model, "--mask", tmp_path / "soft-mask.png", *like)
    assert run(*again, "--out", tmp_path / "b.png") == 0
    assert Image.open(tmp_path / "b.png").tobytes() == Image.open(tmp_path / "soft.png").tobytes()


def test_an_edit_of_another_version_of_the_model_is_done_anyway_with_the_same_settings(model, tmp_path, capsys):
    photo, mask = painted_photo(tmp_path)
    assert run("edit", photo, "--model", model, "--mask", mask, "--feather", 3, "--out", tmp_path / "a.png") == 0
    with Image.open(tmp_path / "a.png") as picture:
        replace(Recipe.read(tmp_path / "a.png"), digest="f" * 12).save(picture, tmp_path / "older.png")
    like = ("--like", tmp_path / "older.png", "--out", tmp_path / "b.png")
    task = ("edit", photo, "--model", model, "--mask", mask, *like)
    assert "made by another version of" in fails(capsys, *task)
    assert run(*task, "--anyway") == 0
    assert Recipe.read(tmp_path / "b.png").edited.settings.feather == 3
