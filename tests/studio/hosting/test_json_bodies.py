"""Bounds of JSON."""

import json

import pytest

from var_studio.hosting.json_bodies import DEEPEST, check_json
from var_studio.hosting.refusals import Refused

HOSTS = {"studio.example:7860"}
FILE = {"path": "/tmp/gradio/1a/photo.png", "meta": {"_type": "gradio.FileData"}}


def sent(*data: object) -> bytes:
    return json.dumps({"data": data, "fn_index": 3, "session_hash": "ab"}).encode()


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    "body",
    [
        sent("short", 3, None, True, 1e300),
        sent({**FILE, "url": "http://studio.example:7860/gradio_api/file=/tmp/gradio/1a/photo.png"}),
        sent({**FILE, "url": "/gradio_api/file=/tmp/gradio/1a/photo.png"}),
        sent({**FILE, "url": "blob:http://studio.example:7860/1a"}),
        sent({"background": FILE, "layers": [FILE], "composite": FILE}),
        sent("a text about https://elsewhere.example"),
        nested(DEEPEST),
    ],
)
def test_what_the_page_sends_is_let_in(body: bytes):
    assert check_json(body, 100, HOSTS) is None


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
        (nested(100_000), "nested too deeply|levels"),
        (b'{"a":' * 90_000 + b"1" + b"}" * 90_000, "nested too deeply|levels"),
        (nested(DEEPEST + 1), "levels"),
        (sent("x" * 101), "more than 100 characters"),
        (sent({"x" * 101: 1}), "more than 100 characters"),
        (sent([FILE] * 11), "more than 10 files"),
        (sent({"path": "http://elsewhere.example/x.png"}), "upload the file itself"),
        (sent([[{"path": " HTTPS:/elsewhere.example/x.png"}]]), "upload the file itself"),
        (sent({**FILE, "is_stream": True}), "upload the file itself"),
        (sent({**FILE, "url": "https://elsewhere.example/x.png"}), "upload the file itself"),
        (sent({**FILE, "url": "//elsewhere.example/x.png"}), "upload the file itself"),
        (sent({**FILE, "url": "http://[x"}), "upload the file itself"),
    ],
)
def test_what_it_never_sends_is_refused(body: bytes, sentence: str):
    with pytest.raises(Refused, match=sentence):
        check_json(body, 100, HOSTS)
