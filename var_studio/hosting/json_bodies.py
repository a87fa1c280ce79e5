"""Bounds of JSON that is sent to the app: its depth, its texts, and the files that it names."""

import json
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from .refusals import Refused
from .routes import is_elsewhere

DEEPEST = 32  # levels: what the page sends has fewer than ten
MOST_FILES = 10  # that one request names: a photo, its layers, what they make together


def check_json(body: bytes, text: int, hosts: Collection[str]) -> None:
    """Refused if a body is not JSON, is too deep, has a text of more than `text` characters, or names files elsewhere.

    `hosts` are those under which this app is reached: a file's `url` may be on them.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "json", "This is not JSON, or it is nested too deeply.") from None
    files = 0
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if depth > DEEPEST:
            raise Refused(400, "json", f"This JSON has more than {DEEPEST} levels.")
        if isinstance(item, str):
            if len(item) > text:
                raise Refused(413, "text", f"A text has more than {text} characters: make it shorter.")
        elif isinstance(item, list):
            waiting += [(part, depth + 1) for part in item]
        elif isinstance(item, dict):
            waiting += [(part, depth + 1) for pair in item.items() for part in pair]
            files += isinstance(item.get("path"), str)
            _check_file(item, hosts)
    if files > MOST_FILES:
        raise Refused(413, "files", f"This names more than {MOST_FILES} files.")


def _check_file(item: Mapping[str, object], hosts: Collection[str]) -> None:
    """Refused if what may be a file's data would make the server fetch, or not check, what it stands for."""
    path, url = item.get("path"), item.get("url")
    is_foreign = isinstance(path, str) and is_elsewhere(path)
    if isinstance(url, str):
        is_foreign = is_foreign or _host(url) not in ("", *hosts)
    if is_foreign or item.get("is_stream"):
        raise Refused(400, "address", "Files are not fetched from elsewhere: upload the file itself.")


def _host(url: str) -> str:
    """Return the host of an address, with its port; "" if it has none, as in `/path` and `blob:`."""
    try:
        return urlsplit(url.strip()).netloc.lower()
    except ValueError:
        return url
