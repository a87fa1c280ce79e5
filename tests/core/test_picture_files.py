"""Pictures are written as files of several kinds, each with a text inside that comes back."""

import io

import numpy as np
import pytest
from PIL import Image
from support.profiles import SRGB

from var_core import picture_files
from var_core.picture_files import JPEG, KINDS, PNG, SUFFIXES_OF_KINDS, WEBP, as_kind, kind_of, save_picture, text_in
from var_core.xmp import kept as kept_xmp

TEXT = '{"name": "Fleur-de-lis é 睡蓮 \'<&>\'", "seed": 9223372036854775807}'


def smooth(mode: str = "RGB", width: int = 40, height: int = 30) -> Image.Image:
    """A picture that survives lossy files nearly as it is."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack((x, y, 255 - x, 255 - y), -1).astype(np.uint8)).convert(mode)


def exif(description: str = "a garden") -> bytes:
    made = Image.Exif()
    made[0x010E] = description
    return made.tobytes()


def test_a_kind_is_known_by_the_name_of_its_file(tmp_path):
    names = ("a.png", "a.JPG", "a.jpeg", "a.webp", "a.gif", "png")
    assert [kind_of(tmp_path / name) for name in names] == [PNG, JPEG, JPEG, WEBP, None, None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_text_exif_and_profile_come_back_from_every_kind_of_file(kind, mode):
    file = io.BytesIO()
    save_picture(smooth(mode), file, kind, TEXT, exif(), SRGB)
    with Image.open(file) as opened:
        assert opened.format == kind.upper() and text_in(opened) == TEXT
        assert opened.getexif()[0x010E] == "a garden" and opened.info["icc_profile"] == SRGB
        wanted = smooth(mode)
        if mode == "RGBA" and kind == JPEG:
            under = Image.new("RGBA", wanted.size, "white")
            wanted = Image.alpha_composite(under, wanted).convert("RGB")
        assert opened.mode == wanted.mode
        clear = np.asarray(wanted)[..., -1:] == 0 if opened.mode == "RGBA" else False
        error = np.where(clear, 0, np.abs(np.asarray(opened).astype(int) - np.asarray(wanted)))
        assert error.max() <= (0 if kind == PNG else 12)


def test_a_png_is_packed_quickly_holds_the_same_pixels_and_is_no_larger(monkeypatch):
    """The second byte of the packed pixels says how hard zlib was to try."""
    rng = np.random.default_rng(0)
    photo = Image.fromarray(
        (np.asarray(smooth(width=200, height=150)) + rng.normal(0, 3, (150, 200, 3))).astype(np.uint8)
    )
    files = []
    for options in ({}, picture_files.QUICKLY):
        monkeypatch.setattr(picture_files, "QUICKLY", options)
        save_picture(photo, file := io.BytesIO(), PNG, TEXT, exif(), SRGB)
        with Image.open(file) as opened:
            assert np.array_equal(np.asarray(opened), np.asarray(photo)) and text_in(opened) == TEXT
        files.append(file.getvalue())
    tried = [packed[packed.index(b"IDAT") + 5] >> 6 for packed in files]
    assert tried == [2, 0] and len(files[1]) < 1.05 * len(files[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_exif_and_profile_has_none_in_its_file(kind):
    file, picture = io.BytesIO(), smooth()
    picture.info["icc_profile"] = SRGB
    save_picture(picture, file, kind, TEXT)
    with Image.open(file) as opened:
        assert not opened.getexif() and "icc_profile" not in opened.info


@pytest.mark.parametrize(
    "xmp",
    ["vs:recipe='{}'", 'vs:recipe="{}"', "<vs:recipe>{}</vs:recipe>"],
)
def test_a_text_is_found_in_xmp_that_another_program_wrote_anew(xmp):
    picture = Image.new("RGB", (4, 4))
    picture.info["xmp"] = f"<rdf:Description {xmp.format('{&quot;seed&quot;: 5}')}/>".encode()
    assert text_in(picture) == '{"seed": 5}'


@pytest.mark.parametrize("xmp", [b"", b"\xff\xfe\x00", b'vs:recipe="open', "<x:xmpmeta/>"])
def test_xmp_of_others_and_damaged_xmp_holds_no_text(xmp):
    picture = Image.new("RGB", (4, 4))
    picture.info["xmp"] = xmp
    assert text_in(picture) is None


@pytest.mark.parametrize(("kind", "most"), [(JPEG, 65_500), (WEBP, 16_383)])
def test_a_picture_too_large_for_its_kind_of_file_is_refused_with_the_remedy(kind, most):
    with pytest.raises(
        ValueError, match=rf"{most + 1} x 1 pixels: a {kind} file holds {most} a side at most\. Choose PNG"
    ):
        save_picture(Image.new("RGB", (most + 1, 1)), io.BytesIO(), kind, TEXT)


def test_exif_too_long_for_a_jpeg_is_left_out_and_the_picture_is_written():
    long = exif("x" * 70_000)
    for kind, kept in ((JPEG, False), (PNG, True), (WEBP, True)):
        file = io.BytesIO()
        save_picture(smooth(), file, kind, TEXT, long)
        with Image.open(file) as opened:
            assert (0x010E in opened.getexif()) == kept and text_in(opened) == TEXT


@pytest.mark.parametrize("kind", KINDS)
def test_a_png_becomes_a_file_of_another_kind_with_all_that_it_carries(tmp_path, kind):
    png = tmp_path / "made.png"
    save_picture(smooth("RGBA"), png, PNG, TEXT, exif(), SRGB)
    made = as_kind(png, kind)
    assert made == png.with_suffix(SUFFIXES_OF_KINDS[kind][0])
    with Image.open(made) as opened:
        assert opened.format == kind.upper() and text_in(opened) == TEXT
        assert opened.getexif()[0x010E] == "a garden" and opened.info["icc_profile"] == SRGB
    written = made.stat().st_mtime_ns
    assert as_kind(png, kind).stat().st_mtime_ns == written  # once is enough
    assert {path.name for path in tmp_path.iterdir()} == {"made.png", made.name}


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="{}"/></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("kind", KINDS)
def test_xmp_goes_into_every_kind_of_file_beside_the_text_and_from_a_png_into_others(tmp_path, kind):
    own = XMP.format("of mine")
    save_picture(smooth(), tmp_path / "direct", kind, TEXT, xmp=own)
    save_picture(smooth(), tmp_path / "made.png", PNG, TEXT, xmp=own)
    for file in (tmp_path / "direct", as_kind(tmp_path / "made.png", kind)):
        with Image.open(file) as opened:
            assert text_in(opened) == TEXT and kept_xmp(opened.info["xmp"]).count("of mine") == 1


def test_xmp_that_leaves_no_room_for_the_text_is_left_out():
    file, long = io.BytesIO(), "x" * 40_000
    save_picture(smooth(), file, JPEG, long, xmp=XMP.format("of mine" * 4000))
    with Image.open(file) as opened:
        assert text_in(opened) == long and kept_xmp(opened.info["xmp"]) == ""


def test_what_cannot_be_written_leaves_no_file_behind(tmp_path, monkeypatch):
    save_picture(smooth(), tmp_path / "made.png", PNG, TEXT)
    monkeypatch.setitem(picture_files.SIDE_LIMITS, WEBP, 39)
    with pytest.raises(ValueError, match="Choose PNG"):
        as_kind(tmp_path / "made.png", WEBP)
    assert [path.name for path in tmp_path.iterdir()] == ["made.png"]
