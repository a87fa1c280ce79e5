"""The atlas of what each code adds to pictures."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import pictures, tiny

from var_core.config import Sampling
from var_core.inspection import render
from var_core.inspection.atlas import (
    DESCRIPTION,
    NONE,
    PATCHES,
    SIDE,
    Atlas,
    atlas_path,
    build_atlas,
    cell_boxes,
    changes,
)
from var_core.inspection.changes import given_request
from var_core.inspection.codebook import codebook_hash
from var_core.inspection.recording import recorded
from var_core.schedule import Schedule
from var_core.weights import checkpoints


def shown(count: int = 12) -> list[Image.Image]:
    chance = np.random.default_rng(0)
    return [pictures.picture(pictures.FOLDERS[number % 3], chance) for number in range(count)]


@cache
def made() -> Atlas:
    return build_atlas(tiny.pipeline(), shown())


def same(a: Atlas, b: Atlas) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("patches", "scales", "uses", "codebook"))


def uses() -> np.ndarray:
    """How often each code is used at each scale over the pictures, (V, K)."""
    found = np.zeros((64, 4), int)
    for picture in shown():
        for scale, tokens in enumerate(tiny.pipeline().encode(picture)):
            np.add.at(found[:, scale], tokens[0].numpy(), 1)
    return found


def test_every_use_is_counted():
    assert np.array_equal(made().uses, uses().sum(1))
    assert made().uses.sum() == 12 * Schedule(tiny.SIDES).total


def test_a_code_shows_as_many_patches_as_it_has_uses_up_to_the_most():
    assert np.array_equal(made().count, np.minimum(made().uses, PATCHES))
    assert (made().patches[made().scales == NONE] == 0).all()


def test_fine_uses_are_preferred_but_one_coarse_one_is_shown():
    found, coarse = made(), uses()[:, :2].sum(1)
    fine = uses()[:, 2:].sum(1)
    of_coarse = ((found.scales != NONE) & (found.scales < 2)).sum(1)
    wanted = np.where(fine >= PATCHES - np.minimum(coarse, 1), np.minimum(coarse, 1), PATCHES - fine)
    assert np.array_equal(of_coarse, np.minimum(wanted, coarse))
    assert (of_coarse == 1).any() and (of_coarse == 0).any()


def test_each_patch_is_the_change_that_the_scale_made_in_a_cell_of_its_code():
    pipe, boxes, found = tiny.pipeline(), cell_boxes(tiny.pipeline().schedule, 32), made()
    possible = {}
    for picture in shown():
        pyramid = pipe.encode(picture)
        added, levels = changes(pipe, pyramid), pipe.schedule.levels().tolist()
        for token, scale, box in zip(torch.cat(pyramid, 1)[0].tolist(), levels, boxes, strict=True):
            patch = added[scale].resize((SIDE, SIDE), Image.Resampling.BICUBIC, box)
            possible.setdefault((token, scale), set()).add(patch.tobytes())
    for token, place in zip(*np.nonzero(found.scales != NONE), strict=True):
        assert found.patches[token, place].tobytes() in possible[token, found.scales[token, place]]


def test_changes_are_those_of_a_trace():
    pipe = tiny.pipeline()
    pyramid = pipe.encode(shown(1)[0])
    trace = recorded(pipe, given_request(pyramid, 0, Sampling()), origin="opened")
    found = [picture.tobytes() for picture in changes(pipe, pyramid)]
    assert found == [render.residual(trace, scale).tobytes() for scale in range(4)]


def test_an_atlas_repeats_itself_and_its_seed_chooses_the_patches():
    again, other = build_atlas(tiny.pipeline(), iter(shown())), build_atlas(tiny.pipeline(), shown(), seed=1)
    assert same(made(), again)
    assert np.array_equal(other.uses, made().uses) and not np.array_equal(other.patches, made().patches)


def test_all_uses_of_a_rare_code_are_shown():
    found, counts = made(), uses()
    rare = [token for token in np.nonzero(found.uses)[0] if found.uses[token] <= PATCHES]
    assert rare
    for token in rare:
        wanted = np.repeat(np.arange(4), counts[token])
        assert np.array_equal(np.sort(found.scales[token, : len(wanted)]), wanted)


def test_it_names_the_codebook_whose_tokens_it_shows():
    assert made().codebook == codebook_hash(tiny.pipeline().tokenizer.quantizer.codebook)


def test_cells_tile_the_picture_at_every_scale():
    schedule = Schedule(tiny.SIDES)
    for side, span in zip(tiny.SIDES, schedule.spans, strict=True):
        left, top, right, bottom = np.array(cell_boxes(schedule, 32)[span]).T
        assert ((right - left) * (bottom - top)).sum() == pytest.approx(32 * 32)
        cells = zip((left * side / 32).round().astype(int), (top * side / 32).round().astype(int), strict=True)
        assert list(cells) == [(column, row) for row in range(side) for column in range(side)]


def test_a_file_gives_back_all_numbers_and_nearly_all_pixels(tmp_path):
    made().save(tmp_path / "tiny.atlas.webp")
    found = Atlas.load(tmp_path / "tiny.atlas.webp")
    assert found.codebook == made().codebook
    for name in ("scales", "uses", "count"):
        assert np.array_equal(getattr(found, name), getattr(made(), name))
    assert found.patches.shape == made().patches.shape == (64, PATCHES, SIDE, SIDE, 3)
    assert found.patches.dtype == np.uint8
    there = made().scales != NONE
    difference = found.patches[there].astype(int) - made().patches[there]  # (patches, SIDE, SIDE, 3)
    assert np.abs(difference.mean((1, 2))).max() < 5  # WebP keeps less of the colour noise that the tiny model makes


@pytest.mark.parametrize("vocabulary", [1, 63, 65, 130])
def test_codes_keep_their_places_in_a_file_of_any_size(tmp_path, vocabulary):
    levels = np.random.default_rng(0).integers(256, size=(vocabulary, PATCHES, 1, 1, 1), dtype=np.uint8)
    patches = np.broadcast_to(levels, (vocabulary, PATCHES, SIDE, SIDE, 3))
    uses = np.full(vocabulary, 9)
    Atlas(patches, np.full((vocabulary, PATCHES), 2), uses, "abc").save(tmp_path / "a.webp")
    found = Atlas.load(tmp_path / "a.webp").patches.astype(int)
    assert np.abs(found.mean((2, 3)) - levels[:, :, 0, 0]).max() < 12


def test_a_strip_shows_a_code_s_patches_side_by_side():
    found = made()
    few = int(np.nonzero((found.count > 0) & (found.count < PATCHES))[0][0])
    for token in (int(found.uses.argmax()), few):
        strip = np.asarray(found.strip(token))
        assert strip.shape == (SIDE, found.count[token] * SIDE, 3)
        for place in range(found.count[token]):
            assert np.array_equal(strip[:, place * SIDE : (place + 1) * SIDE], found.patches[token, place])


def test_a_strip_of_nothing_is_refused():
    unused = int(np.nonzero(made().uses == 0)[0][0])
    with pytest.raises(ValueError, match=f"token {unused} was used in no picture"):
        made().strip(unused)
    for token in (-1, 64):
        with pytest.raises(ValueError, match=f"token {token} is not in the codebook: choose 0 to 63"):
            made().strip(token)


def test_an_atlas_of_no_pictures_is_refused():
    with pytest.raises(ValueError, match="no pictures to make an atlas of"):
        build_atlas(tiny.pipeline(), [])


def write(path: Path, size: tuple[int, int] = (64 * PATCHES * SIDE, SIDE), **changes: object) -> None:
    """An atlas file of one code, with other parts in its description."""
    exif, parts = Image.Exif(), {"codebook": "abc", "uses": [3], "scales": [[3, 2, 0, -1]], **changes}
    exif[DESCRIPTION] = json.dumps({key: value for key, value in parts.items() if value != "none"})
    Image.new("RGB", size).save(path, "WEBP", exif=exif)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": (SIDE, SIDE)},
        {"size": (64 * PATCHES * SIDE, 2 * SIDE)},
        {"uses": "none"},
        {"uses": [3, 3]},
        {"uses": 3},
        {"uses": ["many"]},
        {"uses": [[3]]},
        {"uses": [2]},
        {"uses": [], "scales": []},
        {"scales": "none"},
        {"scales": [[3, 2, 0]]},
        {"scales": [[3, 2, 0, -2]]},
        {"scales": [[3, -1, 0, -1]]},
        {"scales": [[3, 2, 0, 10**30]]},
        {"codebook": 7},
        {"codebook": "none"},
    ],
    ids=str,
)
def test_a_file_whose_parts_do_not_fit_is_refused_with_the_remedy(tmp_path, changes):
    write(tmp_path / "good.webp")
    assert Atlas.load(tmp_path / "good.webp").count.tolist() == [3]
    write(tmp_path / "bad.webp", **changes)
    with pytest.raises(ValueError, match=r"bad\.webp is damaged: .*python -m var_core atlas NAME"):
        Atlas.load(tmp_path / "bad.webp")


def test_files_that_are_no_atlas_are_refused_with_the_remedy(tmp_path):
    made().save(tmp_path / "whole.webp")
    whole = (tmp_path / "whole.webp").read_bytes()
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.webp")
    for name, content in {"cut": whole[:3000], "text": b"no picture", "head": whole[:20], "empty": b""}.items():
        (tmp_path / f"{name}.webp").write_bytes(content)
    for name in ("plain", "cut", "text", "head", "empty"):
        with pytest.raises(ValueError, match=rf"{name}\.webp is damaged, or no atlas.*python -m var_core atlas"):
            Atlas.load(tmp_path / f"{name}.webp")
    with pytest.raises(ValueError, match=r"gone\.webp: there is no such file.*python -m var_core atlas"):
        Atlas.load(tmp_path / "gone.webp")


def test_an_atlas_lies_beside_its_model_and_is_not_taken_for_one():
    path = atlas_path(Path("folder/flowers.v2.safetensors"))
    assert path == Path("folder/flowers.v2.atlas.webp")


def test_the_bundled_atlas_is_of_the_bundled_model_s_codes(bundled):
    path = checkpoints.find(checkpoints.DEFAULT)
    atlas, codebook = Atlas.load(atlas_path(path)), bundled.tokenizer.quantizer.codebook
    assert atlas.codebook == codebook_hash(codebook) and len(atlas.uses) == len(codebook)
    assert (atlas.count > 0).mean() > 0.99
    assert atlas_path(path).stat().st_size < 1.2e6
