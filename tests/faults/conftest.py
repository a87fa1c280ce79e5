"""Fixtures for the tests of faults."""

from support.line import line  # noqa: F401
