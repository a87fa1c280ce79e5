"""What a photo's file holds besides its colours comes back with the results of an edit."""

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from support.profiles import SRGB, swapped_profile

from var_core.editing import photo_file
from var_core.editing.canvas import Box
from var_core.editing.edit import Edit, onward
from var_core.editing.edit_settings import EditSettings
from var_core.editing.photo_file import NO_EXTRAS, Extras, open_photo_file

BASE, PARTS = ExifTags.Base, ExifTags.IFD
GPS = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (48.0, 51.0, 29.5)}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


def camera_exif(orientation: int = 6) -> Image.Exif:
    made = Image.Exif()
    made[BASE.Make], made[BASE.Orientation], made[BASE.DateTime] = "Camera", orientation, "2024:05:01 10:00:00"
    made[PARTS.Exif] = {
        BASE.DateTimeOriginal: "2024:05:01 10:00:00",
        BASE.ExifImageWidth: 30,
        BASE.ExifImageHeight: 20,
        BASE.UserComment: b"ASCII\0\0\0mine",
        BASE.MakerNote: b"\1\2\3\4" * 9,
    }
    made[PARTS.GPSInfo] = GPS
    return made


def read_exif(data: bytes) -> Image.Exif:
    found = Image.Exif()
    found.load(data)
    return found


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_exif_is_kept_of_every_kind_of_file_for_upright_pixels(tmp_path, suffix):
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / f"photo.{suffix}", exif=camera_exif().tobytes())
    photo, extras = open_photo_file(tmp_path / f"photo.{suffix}")
    assert photo.shape == (30, 20, 3)  # turned
    found = read_exif(extras.exif_of(Image.fromarray(photo)))
    assert (found[BASE.Make], found[BASE.Orientation]) == ("Camera", 1)
    inside = found.get_ifd(PARTS.Exif)
    assert (inside[BASE.ExifImageWidth], inside[BASE.ExifImageHeight]) == (20, 30)
    assert inside[BASE.UserComment] == b"ASCII\0\0\0mine"
    assert BASE.MakerNote not in inside  # a camera may put a preview there
    assert found.get_ifd(PARTS.GPSInfo) == GPS
    assert BASE.StripOffsets not in found and BASE.ImageWidth not in found
    larger = read_exif(extras.exif_of(Image.new("RGB", (99, 77)))).get_ifd(PARTS.Exif)
    assert (larger[BASE.ExifImageWidth], larger[BASE.ExifImageHeight]) == (99, 77)


def test_the_thumbnail_is_dropped(tmp_path):
    small = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(small, "JPEG")
    exif = bytearray(camera_exif(1).tobytes()[6:])
    (count,) = struct.unpack_from(">H", exif, 8)
    struct.pack_into(">I", exif, 10 + 12 * count, len(exif))  # where the directory of the thumbnail begins
    at, size = len(exif) + 42, len(small.getvalue())
    exif += struct.pack(">HHHIHHHHIIHHIII", 3, 0x103, 3, 1, 6, 0, 0x201, 4, 1, at, 0x202, 4, 1, size, 0)
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / "photo.jpg", exif=b"Exif\0\0" + bytes(exif) + small.getvalue())
    with Image.open(tmp_path / "photo.jpg") as opened:
        assert opened.getexif().get_ifd(PARTS.IFD1)[0x202] == size
    kept = read_exif(open_photo_file(tmp_path / "photo.jpg")[1].exif)
    assert not kept.get_ifd(PARTS.IFD1) and kept[BASE.Make] == "Camera"
    assert not {BASE.JpegIFOffset, BASE.JpegIFByteCount, PARTS.IFD1} & set(kept)


@pytest.mark.parametrize("exif", [b"Exif\0\0nothing", b"Exif\0\0II*\0\xff\xff\xff\xff", camera_exif().tobytes()[:60]])
def test_a_photo_with_damaged_exif_opens(tmp_path, exif):
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / "photo.jpg", exif=exif)
    photo, extras = open_photo_file(tmp_path / "photo.jpg")
    assert sorted(photo.shape) == [3, 20, 30]
    read_exif(extras.exif_of(Image.fromarray(photo)) or camera_exif().tobytes())


def test_a_photo_without_anything_else_has_nothing_else(tmp_path):
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / "photo.png")
    photo, extras = open_photo_file(tmp_path / "photo.png")
    assert np.array_equal(photo, noise(20, 30, 3))
    assert extras.rgba is None and extras.exif == extras.icc == extras.exif_of(Image.fromarray(photo)) == b""
    assert extras.picture(Edit(photo, photo[..., 0] > 9, (1,), (1,)), photo).mode == "RGB"


@pytest.mark.parametrize("profile", [SRGB, swapped_profile()])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_profile_stays_with_the_pixels_as_they_are(tmp_path, profile, mode):
    pixels = noise(20, 30, len(mode))
    pixels[..., 3:] = 255
    Image.fromarray(pixels).save(tmp_path / "photo.png", icc_profile=profile)
    photo, extras = open_photo_file(tmp_path / "photo.png")
    assert np.array_equal(photo, pixels[..., :3]) and extras.icc == profile and extras.rgba is None


def test_a_profile_or_exif_of_unusual_length_is_left_out(tmp_path, monkeypatch):
    exif, profile = camera_exif(1), swapped_profile()
    inside = exif[PARTS.Exif]
    for length, kept in ((60_000, True), (66_000, False)):
        inside[BASE.UserComment] = b"ASCII\0\0\0" + b"x" * length
        Image.new("RGB", (8, 8), "red").save(tmp_path / "photo.png", exif=exif.tobytes(), icc_profile=profile)
        assert bool(open_photo_file(tmp_path / "photo.png")[1].exif) == kept
    assert open_photo_file(tmp_path / "photo.png")[1].icc == profile
    monkeypatch.setattr(photo_file, "MOST_KEPT_ICC", len(profile) - 1)
    photo, extras = open_photo_file(tmp_path / "photo.png")
    assert extras.icc == b"" and np.allclose(photo, (0, 0, 255), atol=1)  # in sRGB, as the profile means them


def test_a_page_shows_the_colours_that_a_profile_means():
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    assert np.allclose(Extras(icc=swapped_profile()).shown(red, 9), (0, 0, 255), atol=1)
    assert np.array_equal(Extras(icc=SRGB).shown(red, 9), red) and np.array_equal(NO_EXTRAS.shown(red, 9), red)
    assert NO_EXTRAS.shown(noise(40, 80, 3), 20).size == (20, 10)


@pytest.mark.parametrize(("mode", "profile"), [("RGB", b"no profile"), ("L", SRGB), ("CMYK", SRGB)])
def test_a_profile_that_is_damaged_or_of_other_colours_is_done_with(tmp_path, mode, profile):
    Image.new(mode, (8, 8)).save(tmp_path / "photo.tiff", icc_profile=profile)
    photo, extras = open_photo_file(tmp_path / "photo.tiff")
    assert photo.shape == (8, 8, 3) and extras.icc == b""


def half_clear(tmp_path) -> tuple[np.ndarray, np.ndarray, Extras]:
    """Pixels with every degree of transparency, the photo that is edited, and what else its file holds."""
    pixels = noise(20, 30, 4)
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    return pixels, *open_photo_file(tmp_path / "clear.png")


def test_what_was_not_drawn_is_as_transparent_as_it_was_and_what_was_is_opaque(tmp_path):
    pixels, photo, extras = half_clear(tmp_path)
    mask = np.zeros((20, 30), bool)
    mask[5:9, 4:12] = True
    result = photo.copy()
    result[5:9, 4:10] ^= 1  # two columns were drawn just as they had been
    result[9, 4] ^= 1  # at the feathered edge
    made = np.asarray(extras.picture(Edit(photo, mask, (1,), (1,)), result))
    drawn = mask.copy()
    drawn[9, 4] = True
    assert np.array_equal(made[~drawn], pixels[~drawn])
    assert (made[drawn][:, 3] == 255).all() and np.array_equal(made[drawn][:, :3], result[drawn])


def test_what_is_outside_the_box_stays_transparent(tmp_path):
    pixels, photo, extras = half_clear(tmp_path)
    mask = np.ones((20, 30), bool)
    made = np.asarray(extras.picture(Edit(photo, mask, (1,), (1,), boxes=(Box(2, 3, 10),)), photo))
    drawn = np.zeros_like(mask)
    drawn[3:13, 2:12] = True
    assert np.array_equal(made[~drawn], pixels[~drawn]) and (made[drawn][:, 3] == 255).all()


def test_an_extension_is_opaque_where_it_is_new(tmp_path):
    pixels, photo, extras = half_clear(tmp_path)
    plain = Edit(photo, np.zeros((20, 30), bool), (1,), (1,), settings=EditSettings(feather=0))
    edit = onward(plain, 3, 0, 5, 2)
    made = np.asarray(extras.picture(edit, edit.photo))
    assert made.shape == (22, 38, 4) and np.array_equal(made[edit.inner], pixels)
    made = made.copy()
    made[edit.inner] = 255
    assert (made[..., 3] == 255).all()


@pytest.mark.parametrize("mode", ["LA", "P", "L"])
def test_any_transparency_is_kept(tmp_path, mode):
    picture, options = Image.new(mode, (8, 8)), {}
    if mode == "LA":
        picture.putalpha(Image.fromarray(noise(8, 8)))
    else:
        picture.putpixel((3, 3), 1)
        options = {"transparency": 0}
    picture.save(tmp_path / "clear.png", **options)
    _, extras = open_photo_file(tmp_path / "clear.png")
    with Image.open(tmp_path / "clear.png") as opened:
        assert np.array_equal(extras.rgba, np.asarray(opened.convert("RGBA"))) and extras.rgba[..., 3].min() < 255


def test_a_file_that_is_no_photo_is_refused(tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    with pytest.raises(ValueError, match="not a picture that can be read"):
        open_photo_file(tmp_path / "notes.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_xmp_is_kept_of_every_kind_of_file_for_upright_pixels(tmp_path, suffix):
    described = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' tiff:Orientation="6" xmp:Rating="5"/></rdf:RDF></x:xmpmeta>'
    )
    options = {"xmp": described.encode()}
    if suffix == "png":
        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", described)
    if suffix == "tiff":
        options = {"tiffinfo": {700: described.encode()}}
    Image.fromarray(noise(20, 30, 3)).save(tmp_path / f"photo.{suffix}", **options)
    extras = open_photo_file(tmp_path / f"photo.{suffix}")[1]
    assert 'xmp:Rating="5"' in extras.xmp and "Orientation" not in extras.xmp
    assert extras.nbytes >= len(extras.xmp)
