"""XMP of photos: what is kept of it, and a text beside it."""

from xml.etree import ElementTree

import pytest

from var_core import xmp

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
NAMESPACES = (
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
)
TITLE = '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Gärten &amp; Höfe</rdf:li></rdf:Alt></dc:title>'
TEXT = '{"seed": 5, "name": "<\'&\\""}'


def packet(attributes: str = "", children: str = TITLE) -> str:
    """What a program writes into a picture's file."""
    described = f'<rdf:Description rdf:about="uuid:7" {NAMESPACES} {attributes}>{children}</rdf:Description>'
    return xmp.PACKET.format("\n" + xmp.ALONE.format(described) + "\n" + " " * 100)


def test_what_a_photo_says_of_itself_is_kept():
    found = xmp.kept(packet('xmp:Rating="4" xmp:CreatorTool="Camera"').encode())
    (described,) = ElementTree.fromstring(found).iter(f"{RDF}Description")
    assert described.get("{http://ns.adobe.com/xap/1.0/}Rating") == "4"
    assert described.find(f".//{RDF}li").text == "Gärten & Höfe"
    assert xmp.kept(found) == found  # as text, and again


def test_what_is_true_of_the_file_alone_is_left_out():
    attributes = 'tiff:Orientation="6" exif:PixelXDimension="30" xmlns:vs="urn:var-studio" vs:recipe="old" '
    attributes += 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
    preview = "<xmp:Thumbnails><rdf:Alt><rdf:li>face</rdf:li></rdf:Alt></xmp:Thumbnails>"
    found = xmp.kept(packet(attributes, TITLE + preview + "<tiff:ImageWidth>3</tiff:ImageWidth>"))
    assert "Höfe" in found
    assert not [word for word in ("Orientation", "PixelX", "old", "Version", "face", "ImageWidth") if word in found]


@pytest.mark.parametrize("text", ["", "\0\0", "no XML", packet('tiff:Orientation="6"', ""), packet()[:-60][:200]])
def test_nothing_is_kept_of_damage_and_of_what_says_nothing(text):
    assert xmp.kept(text) == "" == xmp.kept(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + packet(children="<dc:title>&a;</dc:title>"),
        xmp.ALONE.format("<a>" * 4000 + "</a>" * 4000),
        packet(children=f"<dc:title>{'x' * xmp.MOST}</dc:title>"),
        packet(children="<dc:title>vs:recipe='{}'</dc:title>"),
        b"\xff\xfe\x00\xd8".decode("utf-16", "replace"),
    ],
)
def test_nothing_is_kept_of_what_grows_is_deep_long_or_plays_a_recipe(text):
    assert xmp.kept(text) == ""


@pytest.mark.parametrize("photo", ["", packet('xmp:Rating="4"')])
def test_a_text_goes_beside_what_was_kept(photo):
    made = xmp.with_text(xmp.kept(photo), TEXT)
    assert xmp.text_of(made) == TEXT == xmp.text_of(made.decode())
    root = ElementTree.fromstring(made)
    about = {one.get(f"{RDF}about") for one in root.iter(f"{RDF}Description")}
    assert about == {""} and ("Höfe" in made.decode()) == bool(photo)
    assert xmp.text_of(xmp.kept(made)) is None
