"""Fixtures for the tests of downloads."""

from support.line import line  # noqa: F401
