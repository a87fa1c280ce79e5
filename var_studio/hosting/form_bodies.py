"""Bounds of forms with files, told by the names and sizes of their parts as they go by."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .refusals import Refused

# What no page of the app comes near, and nobody who runs it would set otherwise: files have limits of their own.
MOST_PARTS = 30  # a form of the page has ten files, or a file and six fields
MOST_FIELD_BYTES = 10_000  # a field is a name or a number


class FormReader:
    """Follows a form with files: keeps their names and its fields, both within bounds."""

    def __init__(self, content_type: str, most_files: int):
        """Refused if the body says that it is no form with files."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise Refused(415, "form", "This must be a form with files (multipart/form-data).")
        self.most_files = most_files
        self.parts, self.names, self.fields = 0, list[str](), dict[str, bytes]()
        self._header, self._value, self._disposition = b"", b"", b""
        self._field: str | None = None  # whose bytes come now; None: a file's
        calls = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._named,
            "on_part_data": self._data,
        }
        self._parser = MultipartParser(options[b"boundary"], calls)  # type: ignore[arg-type]

    @property
    def files(self) -> int:
        """Number of files whose names have come."""
        return len(self.names)

    def write(self, chunk: bytes) -> None:
        """Follow the next bytes; Refused if they break a bound, or are no such form."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise Refused(400, "form", "This form cannot be read.") from None

    def _begin(self) -> None:
        self._disposition = b""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise Refused(413, "form", f"More than {MOST_PARTS} parts in a form.")

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _named(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" in options:
            self.names.append(options[b"filename"].decode("utf-8", "replace"))
            self._field = None
            if self.files > self.most_files:
                raise Refused(413, "files", f"More than {self.most_files} files at once: send fewer.")
            return
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        self.fields[self._field] = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            return
        self.fields[self._field] += data[start:end]
        if len(self.fields[self._field]) > MOST_FIELD_BYTES:
            raise Refused(413, "form", f"A field of a form has more than {MOST_FIELD_BYTES} bytes.")
