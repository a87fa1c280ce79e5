"""The command that draws one picture of many settings."""

from PIL import Image
from support.command import fails, run

from var_core.recipe import Recipe


def test_a_grid_is_one_picture_with_labels_and_files_that_are_made_again(model, tmp_path, capsys):
    asked = ("grid", "--model", model, "--class", "rose", "--out", tmp_path)
    assert run(*asked, "--x", "guidance=0,2", "--y", "seed=4,5", "--top-k", 9) == 0
    assert "4 pictures in" in capsys.readouterr().out and (tmp_path / "grid.png").is_file()
    made = tmp_path / "002-guidance-2-seed-4-rose-seed-4.png"
    recipe = Recipe.read(made)
    assert (recipe.seed, recipe.sampling.guidance, recipe.sampling.top_k) == (4, 2, 9)
    assert run("replay", made, "--model", model) == 0
    with Image.open(made) as first, Image.open(made.with_stem(f"{made.stem}-again")) as second:
        assert first.tobytes() == second.tobytes()
    assert "as in guidance=1,2,4" in fails(capsys, *asked, "--x", "guidance")
    assert "cannot be turned" in fails(capsys, *asked, "--x", "colour=1")
    assert "is a single file: name a folder" in fails(capsys, *asked, "--x", "seed=1", "--out", tmp_path / "a.png")
