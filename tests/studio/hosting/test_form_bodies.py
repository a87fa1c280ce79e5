"""Bounds of forms with files."""

import pytest
from support.door import form, photo

from var_studio.hosting.form_bodies import MOST_FIELD_BYTES, MOST_PARTS, FormReader
from var_studio.hosting.refusals import Refused


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_files_are_counted_and_fields_kept_however_the_body_is_cut(piece: int):
    kind, body = form({"id": "ab", "index": "2"}, [photo(100), photo(0)])
    reader = FormReader(kind, 2)
    for begin in range(0, len(body), piece):
        reader.write(body[begin : begin + piece])
    assert (reader.files, reader.fields) == (2, {"id": b"ab", "index": b"2"})


@pytest.mark.parametrize(
    ("data", "files", "sentence"),
    [
        ({}, [photo()] * 3, "More than 2 files at once"),
        ({"a": "x" * (MOST_FIELD_BYTES + 1)}, [photo()], "A field of a form has more than"),
        ({str(n): "x" for n in range(MOST_PARTS)}, [photo()], "More than 30 parts"),
    ],
)
def test_too_much_is_refused(data: dict[str, str], files: list, sentence: str):
    kind, body = form(data, files)
    with pytest.raises(Refused, match=sentence):
        FormReader(kind, 2).write(body)


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary="])
def test_what_says_that_it_is_no_form_is_refused(kind: str):
    with pytest.raises(Refused, match="must be a form"):
        FormReader(kind, 1)


def test_what_is_no_form_is_refused():
    with pytest.raises(Refused, match="cannot be read"):
        FormReader("multipart/form-data; boundary=abc", 1).write(b"nothing of the kind")
