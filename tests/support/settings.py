"""Settings turned, for tests that walk through their tables."""

from var_core.settings import Setting, Value


def another(row: Setting) -> Value:
    """A value within the bounds that is not the default."""
    if row.kind is bool:
        return not row.default
    if row.choices:
        return next(choice for choice in row.choices if choice != row.default)
    return row.kind(row.low if row.default != row.low else row.high)
