"""Who has sent the event that is being answered."""

import hashlib

from gradio.context import LocalContext


def visitor() -> str:
    """Return the name under which a visitor's page has joined; nothing outside of an event."""
    return str(getattr(LocalContext.request.get(None), "session_hash", None) or "")


def visitor_mark() -> str:
    """Return 16 hex digits that tell a visitor from others, but not what would let one act as him."""
    return hashlib.sha256(visitor().encode()).hexdigest()[:16]
