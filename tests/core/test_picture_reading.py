"""Picture files become pixels, upright and in sRGB, or are refused with the remedy."""

import contextlib

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image
from PIL.PngImagePlugin import PngInfo
from support.profiles import SRGB, swapped_profile

from var_core.images import from_pil
from var_core.picture_reading import check_size, flat, open_mask, open_photo


def noise(side: int = 16, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(side, side, 3), dtype=np.uint8))


def test_a_picture_that_its_camera_held_sideways_is_turned_upright():
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4] = 255
    sideways = Image.fromarray(pixels)
    sideways.getexif()[0x0112] = 6  # "rotate by 90 degrees clockwise to see it upright"
    upright = from_pil([sideways], 8)[0]
    assert (upright[:, :4] == 1).all() and (upright[:, 4:] == -1).all()


def test_transparency_lies_on_white():
    for mode, colour in (("RGBA", (255, 0, 0, 128)), ("LA", (0, 0))):
        pixel = flat(Image.new(mode, (2, 2), colour)).getpixel((0, 0))
        assert pixel == ((255, 127, 127) if mode == "RGBA" else (255, 255, 255))
    palette = Image.new("P", (2, 2))
    palette.putpalette([10, 20, 30])
    palette.info["transparency"] = 0
    assert flat(palette).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    levels = np.array([[0, 257 * 100, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / f"deep.{suffix}")
    assert open_photo(tmp_path / f"deep.{suffix}")[0, :, 1].tolist() == [0, 100, 255]


@pytest.mark.parametrize(("values", "levels"), [([0.0, 0.5, 1.0], [0, 128, 255]), ([0.0, 50.0, 255.0], [0, 50, 255])])
def test_floats_are_scaled_by_their_range(values, levels):
    assert [flat(Image.fromarray(np.array([values], np.float32))).getpixel((x, 0))[0] for x in range(3)] == levels


def test_one_pixel_beyond_all_measure_does_not_darken_the_others():
    levels = np.array([[0.0, 0.5, 1.0, np.inf, -np.inf, np.nan]], np.float32)
    found = flat(Image.fromarray(levels))
    assert [found.getpixel((x, 0))[0] for x in range(6)] == [0, 128, 255, 255, 0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_a_photo_of_any_mode_opens_in_its_own_size(tmp_path, mode):
    file = tmp_path / ("photo.jpg" if mode in ("CMYK", "YCbCr") else "photo.png")
    Image.new("RGB", (30, 20), (40, 80, 120)).convert(mode).save(file)
    opened = open_photo(file)
    assert opened.shape == (20, 30, 3) and opened.dtype == np.uint8
    if mode not in ("1", "L"):
        assert np.abs(opened.astype(int) - (40, 80, 120)).max() <= (40 if mode == "P" else 4)


def test_a_photo_that_its_camera_held_sideways_opens_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert open_photo(tmp_path / "turned.jpg").shape == (30, 20, 3)


def test_files_that_are_no_photos_are_refused_with_the_remedy(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.png is not a picture that can be read: choose a PNG"):
        open_photo(tmp_path / "text.png")
    noise(64).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"cut\.png is not a picture that can be read"):
        open_photo(tmp_path / "cut.png")
    chunk = PngInfo()
    chunk.add_text("comment", "x" * 2**21, zip=True)
    noise().save(tmp_path / "chatty.png", pnginfo=chunk)
    with pytest.raises(ValueError, match=r"chatty\.png is not a picture that can be read: choose a PNG"):
        open_photo(tmp_path / "chatty.png")
    with pytest.raises(ValueError, match=r"gone\.png: there is no such file"):
        open_photo(tmp_path / "gone.png")
    noise().save(tmp_path / "film.gif", save_all=True, append_images=[noise(seed=1), noise(seed=2)])
    with pytest.raises(ValueError, match=r"film\.gif has 3 frames: save the one you want as a PNG"):
        open_photo(tmp_path / "film.gif")


def test_no_program_outside_gets_to_see_a_file(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *given, **_: called.append(given))
    noise().save(tmp_path / "script.eps")
    (tmp_path / "script.eps").rename(tmp_path / "script.png")
    with pytest.raises(ValueError, match="not a picture that can be read"):
        open_photo(tmp_path / "script.png")
    with Image.open(tmp_path / "script.png") as known, contextlib.suppress(Exception):
        known.load()
    assert len(called) == 1  # by Pillow alone


@pytest.mark.parametrize("size", [(10_000, 10_000), (20_000, 20_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_photo_of_too_many_pixels_is_refused_with_the_remedy(tmp_path, size):
    Image.new("1", size).save(tmp_path / "huge.png")
    with pytest.raises(ValueError, match=r"at most 50.*Make it smaller first"):
        open_photo(tmp_path / "huge.png")


@pytest.mark.parametrize("size", [(int(1e308), 9), (9, 10**400), (1e308, 1e308), (float("inf"), 1)])
def test_numbers_beyond_all_measure_are_refused_like_any_other(size):
    with pytest.raises(ValueError, match=r"the new canvas has more than 50 megapixels\. Make it smaller first"):
        check_size("the new canvas", *size)
    check_size("the new canvas", 10_000, 5_000)


def test_a_mask_paints_where_it_is_white(tmp_path):
    levels = np.array([[0, 127, 128, 255]], np.uint8)
    Image.fromarray(levels).save(tmp_path / "mask.png")
    mask, found = open_mask(tmp_path / "mask.png", (4, 1))
    assert mask.tolist() == [[False, False, True, True]] and mask.dtype == bool and found is None


def test_a_mask_with_transparency_paints_where_it_is_not_transparent(tmp_path):
    drawing = Image.new("RGBA", (3, 1))
    drawing.putpixel((1, 0), (10, 0, 0, 255))
    drawing.save(tmp_path / "mask.png")
    assert open_mask(tmp_path / "mask.png", (3, 1))[0].tolist() == [[False, True, False]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_opaque_mask_with_an_alpha_channel_paints_where_it_is_white(tmp_path, mode):
    drawing = Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert(mode)
    drawing.save(tmp_path / "mask.png")
    assert open_mask(tmp_path / "mask.png", (3, 1))[0].tolist() == [[False, True, False]]


def test_a_camera_s_photo_with_a_preview_behind_it_opens(tmp_path):
    noise(64).save(tmp_path / "camera.jpg", format="MPO", save_all=True, append_images=[noise(16)])
    assert open_photo(tmp_path / "camera.jpg").shape == (64, 64, 3)


def test_a_mask_of_another_size_is_resized_to_the_nearest_pixel_and_says_so(tmp_path):
    Image.fromarray(np.array([[0, 255], [0, 0]], np.uint8)).save(tmp_path / "small.png")
    mask, found = open_mask(tmp_path / "small.png", (6, 4))
    assert found == (2, 2) and mask[:2, 3:].all() and mask.sum() == 6


def test_files_that_are_no_masks_are_refused(tmp_path):
    (tmp_path / "mask.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(ValueError, match=r"mask\.png is not a mask that can be read: choose a PNG"):
        open_mask(tmp_path / "mask.png", (4, 4))
    with pytest.raises(ValueError, match="there is no such file"):
        open_mask(tmp_path / "gone.png", (4, 4))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_photo_with_a_colour_profile_keeps_the_colours_that_it_means(tmp_path, mode):
    Image.new(mode, (2, 2), "red").save(tmp_path / "wide.png", icc_profile=swapped_profile())
    assert np.allclose(open_photo(tmp_path / "wide.png"), (0, 0, 255), atol=1)


def test_srgb_and_damaged_profiles_change_nothing(tmp_path):
    for profile in (SRGB, b"no profile"):
        noise().save(tmp_path / "plain.png", icc_profile=profile)
        assert np.array_equal(open_photo(tmp_path / "plain.png"), np.asarray(noise()))
