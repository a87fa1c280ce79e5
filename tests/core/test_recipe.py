"""A picture carries how it was made, and is made again from it."""

import dataclasses
import json
import struct
import zlib
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from support.tiny import masked_pipeline, pipeline

from var_core.config import Sampling
from var_core.editing.canvas import Box
from var_core.editing.edit import Edit, onward
from var_core.editing.edit_settings import EditSettings
from var_core.engine.request import Request
from var_core.formats import FORMAT
from var_core.picture_files import CHUNK
from var_core.recipe import Recipe, slug

REQUEST = Request((3, 1), (12, 2**63 - 1), Sampling(guidance=2.5, top_k=40, top_p=0.9, temperature=0.8, smooth=True))
RECIPE = Recipe.of(pipeline(), REQUEST, 1)


def png(path, text: str | None):
    """A PNG whose recipe is any text, or that has none."""
    info = PngInfo()
    if text is not None:
        info.add_text(CHUNK, text)
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)
    return path


def test_a_recipe_names_the_model_the_class_and_the_settings():
    assert RECIPE.model == "tiny" and RECIPE.digest == pipeline().digest
    assert (RECIPE.label, RECIPE.class_name, RECIPE.seed) == (1, "Rose", 2**63 - 1)
    assert RECIPE.sampling == REQUEST.sampling


def test_an_edit_of_the_masked_path_is_repeated_only_where_there_is_one():
    photo, mask = np.zeros((20, 20, 3), np.uint8), np.ones((20, 20), bool)
    edit = Edit(photo, mask, (1,), (5,))
    seeing, plain = (Recipe.of_edit(pipe, edit, 0) for pipe in (masked_pipeline(), pipeline()))
    assert (seeing.edited.settings.shown, plain.edited.settings.shown) == (True, False)
    assert not plain.edit(masked_pipeline(), photo, mask).settings.shown
    with pytest.raises(ValueError, match="has none: load one that has"):
        seeing.edit(pipeline(), photo, mask)


@pytest.mark.parametrize("place", [0, 1])
def test_a_saved_picture_is_made_again_pixel_for_pixel(tmp_path, place):
    picture = pipeline().run(Request(REQUEST.labels, REQUEST.seeds)).images[place]
    recipe = Recipe.of(pipeline(), Request(REQUEST.labels, REQUEST.seeds), place)
    recipe.save(picture, tmp_path / "picture.png")
    found = Recipe.read(tmp_path / "picture.png")
    assert found == recipe
    assert pipeline().run(found.request(pipeline())).images[0].tobytes() == picture.tobytes()
    with Image.open(tmp_path / "picture.png") as opened:
        assert opened.tobytes() == picture.tobytes()


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("WebP", "webp")])
def test_a_jpeg_and_a_webp_carry_the_recipe_too(tmp_path, kind, suffix):
    recipe = dataclasses.replace(RECIPE, class_name="Fleur-de-lis é \"'<&>")
    recipe.save(Image.new("RGB", (8, 8)), tmp_path / f"made.{suffix}", kind)
    assert Recipe.read(tmp_path / f"made.{suffix}") == recipe


def test_a_recipe_of_scales_with_one_seed_names_it_and_of_different_seeds_each_with_its_first_scale():
    assert Recipe.of(pipeline(), Request((1,), ((7, 7, 7, 7),)), 0) == Recipe.of(pipeline(), Request((1,), (7,)), 0)
    mixed = Request((1,), ((7, 7, 9, 8),))
    recipe = Recipe.of(pipeline(), mixed, 0)
    assert (recipe.seed, recipe.later, recipe.stem) == (7, ((2, 9), (3, 8)), "rose-seed-7-then-8")
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert recipe.request(pipeline()) == mixed


def test_a_picture_whose_finer_scales_have_another_seed_is_made_again_pixel_for_pixel(tmp_path):
    picture = pipeline().run(Request((1, 1), ((7, 7, 9, 9), 3))).images[0]
    Recipe.of(pipeline(), Request((1,), ((7, 7, 9, 9),)), 0).save(picture, tmp_path / "like.png")
    found = Recipe.read(tmp_path / "like.png").request(pipeline())
    assert pipeline().run(found).images[0].tobytes() == picture.tobytes()
    assert picture.tobytes() != pipeline().run(Request((1,), (7,))).images[0].tobytes()


@pytest.mark.parametrize("later", [[[4, 1]], [[0, 1]], [[2, 1], [2, 3]], [[3, 1], [1, 3]]])
def test_a_recipe_of_scales_that_are_not_there_is_refused(later):
    with pytest.raises(ValueError, match=r"damaged .*seeds from scales"):
        Recipe.from_json(changed(later=later)).request(pipeline())


@pytest.mark.parametrize("later", [3, [1], [[1]], [[1, 2.5]], [["1", 2]], None])
def test_a_recipe_of_which_the_later_seeds_are_none_says_that_it_is_damaged(later):
    with pytest.raises(ValueError, match="The recipe in this picture is damaged"):
        Recipe.from_json(changed(later=later))


def test_a_recipe_from_before_there_were_later_seeds_has_none():
    told = json.loads(changed(format=4))
    del told["later"]
    assert Recipe.from_json(json.dumps(told)) == RECIPE


def test_an_edit_whose_scales_have_different_seeds_gets_no_recipe():
    edit = Edit(np.zeros((20, 20, 3), np.uint8), np.ones((20, 20), bool), (1,), ((5, 5, 5, 6),))
    with pytest.raises(ValueError, match="its recipe can hold only one"):
        Recipe.of_edit(pipeline(), edit, 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Barberton Daisy", "barberton-daisy"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\CON.txt\0", "c-con-txt"),
        ("x" * 5000, "x" * 60),
        ("ab " * 5000, "ab-" * 19 + "ab"),
        ("a" * 59 + "!" + "b", "a" * 59),
        *((odd, "class-3") for odd in ("", "睡蓮", "..", "-", " \n", "🌷" * 3000)),
    ],
)
def test_any_name_becomes_part_of_a_file_name(text, found):
    assert slug(text, "class-3") == found
    assert dataclasses.replace(RECIPE, class_name=text, label=3, seed=5).stem == f"{found}-seed-5"


def test_json_gives_an_equal_recipe():
    assert Recipe.from_json(RECIPE.to_json()) == RECIPE


def test_a_name_outside_ascii_survives(tmp_path):
    recipe = dataclasses.replace(RECIPE, class_name="Fleur-de-lis é 睡蓮")
    recipe.save(Image.new("RGB", (4, 4)), tmp_path / "picture.png")
    assert Recipe.read(tmp_path / "picture.png") == recipe


def test_a_picture_of_another_model_says_which_to_load():
    other = dataclasses.replace(RECIPE, model="roses", digest="ffffffffffff")
    with pytest.raises(ValueError, match=r"made by the model roses \(ffffffffffff\).*tiny \(0123456789ab\).*Load that"):
        other.request(pipeline())


def test_a_png_without_recipe_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"plain\.png carries no recipe"):
        Recipe.read(png(tmp_path / "plain.png", None))


def test_a_photo_of_a_camera_carries_no_recipe(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.jpg")
    with pytest.raises(ValueError, match=r"photo\.jpg carries no recipe"):
        Recipe.read(tmp_path / "photo.jpg")


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.png: there is no such file"):
        Recipe.read(tmp_path / "gone.png")


def test_a_file_that_is_no_picture_says_so(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes\.png is not a picture"):
        Recipe.read(tmp_path / "notes.png")


def test_a_truncated_picture_says_so(tmp_path):
    path = png(tmp_path / "cut.png", RECIPE.to_json())
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"cut\.png (is not a picture|carries no recipe)"):
        Recipe.read(path)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize(
    "chunks",
    [
        chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"x"),
        chunk(b"IHDR", b"short"),
        chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
        + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**21))),
    ],
    ids=["a giant", "a short header", "a text that unpacks to megabytes"],
)
def test_a_malicious_picture_says_so(tmp_path, chunks):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    with pytest.raises(ValueError, match=r"bad\.png is not a picture that can be read"):
        Recipe.read(tmp_path / "bad.png")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["tEXt", "iTXt"])
def test_a_recipe_whose_text_another_program_wrote_anew_is_read(tmp_path, kind, packed):
    info = PngInfo()
    add = info.add_text if kind == "tEXt" else info.add_itxt
    add(CHUNK, RECIPE.to_json(), zip=packed)
    Image.new("RGB", (4, 4)).save(tmp_path / "rewritten.png", pnginfo=info)
    assert Recipe.read(tmp_path / "rewritten.png") == RECIPE


def changed(**values) -> str:
    return json.dumps({**json.loads(RECIPE.to_json()), **values})


def sampling(**values) -> str:
    return changed(sampling={**dataclasses.asdict(RECIPE.sampling), **values})


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "null", '"text"', "{}"),
        *(changed(colour="red"), changed(sampling=None), sampling(cfg=4.0)),
        *(changed(label="1"), changed(seed=1.5), changed(seed=None), changed(model=3)),
        *(sampling(top_k=3.5), sampling(guidance="4"), sampling(smooth="no")),
    ],
)
def test_a_damaged_recipe_says_so(tmp_path, text):
    with pytest.raises(ValueError, match="The recipe in this picture is damaged"):
        Recipe.read(png(tmp_path / "damaged.png", text))


@pytest.mark.parametrize("wrong", [{"guidance": 99.0}, {"temperature": -1.0}, {"top_k": -5}, {"top_p": float("nan")}])
def test_a_recipe_with_settings_out_of_range_names_the_setting(tmp_path, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} .* out of range: choose"):
        Recipe.read(png(tmp_path / "wrong.png", sampling(**wrong)))


def test_a_recipe_with_a_seed_or_label_out_of_range_is_refused():
    with pytest.raises(ValueError, match="seed -1 is out of range"):
        Recipe.from_json(changed(seed=-1)).request(pipeline())
    with pytest.raises(ValueError, match="this model has classes 0 to 6"):
        pipeline().steps(Recipe.from_json(changed(label=10**30)).request(pipeline()))


def test_whole_numbers_may_stand_for_fractions():
    assert Recipe.from_json(sampling(guidance=2)).sampling.guidance == 2


def edited(**values) -> str:
    settings = dataclasses.asdict(EditSettings())
    whole = {"photo": "0" * 16, "mask": "1" * 16, "settings": settings, "extend": [0, 0, 0, 0], "boxes": []}
    return changed(edited={**whole, **values})


def set_to(**values) -> str:
    return edited(settings={**dataclasses.asdict(EditSettings()), **values})


@pytest.mark.parametrize(
    "text",
    [
        *(edited(photo=3), edited(extend=[1, 2, 3]), edited(extend=[0, 0, 0, 1.5]), edited(extend=[0, 0, 0, 10**12])),
        *(edited(boxes=[[1, 2]]), edited(boxes=3), edited()[:-3], set_to(fil="mean")),
        *(set_to(follow=1), edited(settings={"fill": "mean"}), edited(settings=None)),
        *(changed(edited={"photo": "0"}), changed(edited=7)),
    ],
)
def test_a_damaged_recipe_of_an_edit_says_so(tmp_path, text):
    assert Recipe.from_json(edited()).edited.settings == EditSettings()
    with pytest.raises(ValueError, match="The recipe in this picture is damaged"):
        Recipe.read(png(tmp_path / "damaged.png", text))


def test_a_recipe_of_an_edit_with_settings_out_of_range_names_the_setting(tmp_path):
    with pytest.raises(ValueError, match=r"context 99\.0 is out of range: choose 1 to"):
        Recipe.read(png(tmp_path / "wrong.png", set_to(context=99.0)))


# as the first format was written, before it had a number
FIRST_EDIT = """{"model": "tiny", "digest": "0123456789ab", "label": 1, "class_name": "Rose", "seed": 5,
"sampling": {"guidance": 2.5, "ramp": 1.0, "temperature": 0.8, "cooling": 0.0, "top_k": 40, "top_p": 0.9,
"smooth": true, "unguided_scales": 0}, "version": "0.1.0", "edited": {"photo": "0000000000000000",
"mask": "1111111111111111", "settings": {"fill": "navier-stokes", "first_free_scale": 2, "min_cover": 0.6,
"follow": true, "match": true, "detail": true, "grow": 3, "feather": 7, "context": 2.0, "harmonise": 0},
"extend": [0, 0, 9, 0], "boxes": [[2, 2, 8]]}}"""


def test_a_recipe_of_the_first_format_is_read():
    recipe = Recipe.from_json(FIRST_EDIT)
    assert (recipe.label, recipe.seed, recipe.version) == (1, 5, "0.1.0")
    assert recipe.sampling == Sampling(guidance=2.5, temperature=0.8, top_k=40, top_p=0.9, smooth=True)
    assert recipe.edited.settings == EditSettings(dilate=3, feather=7, shown=False, candidates=1)
    assert (recipe.edited.extend, recipe.edited.boxes) == ((0, 0, 9, 0), ((2, 2, 8),))
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("version", [0, FORMAT + 1, "2", None])
def test_a_recipe_of_a_format_that_is_not_known_says_so(version):
    with pytest.raises(ValueError, match=f"format {version}, and formats 1 to {FORMAT} can be read: update"):
        Recipe.from_json(changed(format=version))


def test_an_edit_made_before_detail_could_be_borrowed_is_made_again_without_it():
    told = json.loads(FIRST_EDIT)
    del told["edited"]["settings"]["detail"]
    assert Recipe.from_json(json.dumps(told)).edited.settings == EditSettings(
        feather=7, dilate=3, detail=False, shown=False, candidates=1
    )


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EditSettings)])
def test_an_edit_whose_recipe_lacks_a_setting_is_not_guessed_at(field):
    values = dataclasses.asdict(EditSettings())
    del values[field]
    with pytest.raises(ValueError, match="The recipe in this picture is damaged"):
        Recipe.from_json(edited(settings=values))


@pytest.mark.parametrize("extend", [(0, 0, 0, 0), (0, 0, 9, 0)])
@pytest.mark.parametrize("box", [Box(40, 0, 20), Box(2, 2, 8)])
def test_boxes_lie_where_they_lay_on_the_photo_as_it_was_extended(extend, box):
    photo, painted = np.zeros((16, 41, 3), np.uint8), np.ones((16, 41), bool)
    plain = Edit(photo, painted, (1,), (2,))
    whole = onward(plain, *extend) if any(extend) else plain
    recipe = Recipe.of_edit(pipeline(), dataclasses.replace(whole, boxes=(box,)), 0)
    again = Recipe.from_json(recipe.to_json()).edit(pipeline(), photo, painted)
    assert again.boxes == (box,) and again.extend == extend and again.mask.shape == whole.mask.shape


def test_a_recipe_with_a_box_off_the_photo_is_refused():
    photo, painted = np.zeros((16, 41, 3), np.uint8), np.ones((16, 41), bool)
    recipe = Recipe.of_edit(pipeline(), Edit(photo, painted, (1,), (2,)), 0)
    wrong = dataclasses.replace(recipe, edited=dataclasses.replace(recipe.edited, boxes=((50, 0, 9),)))
    with pytest.raises(ValueError, match="the box 50, 0, 9 misses the photo of 41 x 16 pixels"):
        Recipe.from_json(wrong.to_json()).edit(pipeline(), photo, painted)


def test_an_edit_of_the_masked_path_names_it_and_another_one_is_refused():
    pipe, other = copy(masked_pipeline()), copy(masked_pipeline())
    pipe.masked_digest, other.masked_digest = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
    photo, painted = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), bool)
    painted[8:24, 8:24] = True
    edit = Edit(photo, painted, (1,), (3,))
    recipe = Recipe.from_json(Recipe.of_edit(pipe, edit, 0).to_json())
    assert recipe.edited.masked == "aaaaaaaaaaaa"
    recipe.edit(pipe, photo, painted)
    with pytest.raises(ValueError, match=r"another masked path of .* \(aaaaaaaaaaaa\); .* holds bbbbbbbbbbbb"):
        recipe.edit(other, photo, painted)
    unseen = Recipe.of_edit(pipe, replace(edit, settings=EditSettings(shown=False)), 0)
    assert unseen.edited.masked == ""
    unseen.edit(other, photo, painted)


def test_an_edit_that_was_chosen_from_drafts_cannot_be_made_again():
    told = json.loads(FIRST_EDIT)
    told["format"] = 3
    told["sampling"] = dataclasses.asdict(Sampling())
    settings = dataclasses.asdict(EditSettings())
    del settings["candidates"]
    told["edited"]["settings"] = {**settings, "drafts": 4}
    with pytest.raises(ValueError, match="chosen from drafts, which are no longer drawn"):
        Recipe.from_json(json.dumps(told))
    told["edited"]["settings"]["drafts"] = 1
    assert Recipe.from_json(json.dumps(told)).edited.settings == EditSettings(candidates=1)


def test_a_recipe_of_another_version_of_the_model_says_so_and_its_settings_serve_this_one():
    other = replace(RECIPE, digest="f" * 12, label=6)
    with pytest.raises(ValueError, match=r"another version of tiny \(f{12}\) .*add --anyway: the same settings"):
        other.request(pipeline())
    own = other.adopted(pipeline())
    assert own == RECIPE  # its class by name
    assert own.request(pipeline()) == RECIPE.request(pipeline())
    assert RECIPE.adopted(pipeline()) is RECIPE


def test_a_recipe_of_another_model_or_class_serves_no_other():
    other = replace(RECIPE, digest="f" * 12, model="other")
    assert other.adopted(pipeline()) is other
    with pytest.raises(ValueError, match="There is no class 'Oak'"):
        replace(RECIPE, digest="f" * 12, class_name="Oak").adopted(pipeline())


def test_an_edit_of_another_version_of_the_model_or_its_masked_path_serves_this_one():
    photo, mask = np.zeros((20, 20, 3), np.uint8), np.ones((20, 20), bool)
    seeing = Recipe.of_edit(masked_pipeline(), Edit(photo, mask, (7,), (5,)), 0)
    older = replace(seeing, edited=replace(seeing.edited, masked="f" * 12))
    assert older.adopted(masked_pipeline()).edit(masked_pipeline(), photo, mask).settings.shown
    elsewhere = replace(seeing, digest="f" * 12)
    assert not elsewhere.adopted(pipeline()).edit(pipeline(), photo, mask).settings.shown


def test_a_soft_mask_is_told_by_its_levels_and_repeated_with_them_alone():
    photo, levels = np.zeros((20, 20, 3), np.uint8), np.tile(np.arange(0, 200, 10, dtype=np.uint8), (20, 1))
    edit = Edit.with_levels(photo, levels, (1,), (5,), Sampling(), EditSettings(soft=True))
    recipe = Recipe.from_json(Recipe.of_edit(pipeline(), edit, 0).to_json())
    again = recipe.edit(pipeline(), photo, levels)
    assert again.settings.soft and np.array_equal(again.softness(), edit.softness())
    for other in (levels > 127, np.where(levels > 0, 255, 0).astype(np.uint8)):
        with pytest.raises(ValueError, match="not the mask that the picture was made of"):
            recipe.edit(pipeline(), photo, other)
    assert not Recipe.of_edit(pipeline(), replace(edit, levels=None), 0).edited.settings.soft
