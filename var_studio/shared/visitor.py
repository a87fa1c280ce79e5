"""Who has sent the event that is being answered, and from where."""

import hashlib
import ipaddress

import gradio as gr
from gradio.context import LocalContext


def visitor() -> str:
    """Return the name under which a visitor's page has joined; nothing outside of an event."""
    return str(getattr(LocalContext.request.get(None), "session_hash", None) or "")


def visitor_mark() -> str:
    """Return 16 hex digits that tell a visitor from others, but not what would let one act as him."""
    return mark_of(visitor())


def mark_of(name: str) -> str:
    """Return the `visitor_mark` of the visitor who has joined under a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def household(host: str) -> str:
    """Return an address as visitors are counted by: of IPv6 the network of a home; "" for this machine, or a proxy."""
    found = parsed_address(host)
    return "" if found is None or found.is_loopback else network_of(found)


def parsed_address(host: str) -> Address | None:
    """Read an address, of IPv6 that of IPv4 if it only wraps one; None if it is none."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found


def network_of(found: Address) -> str:
    """Return an address of IPv4 as it is, one of IPv6 as the network that one household has as a whole."""
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def address_of(request: gr.Request) -> str:
    """Return where a request comes from, as visitors are counted by, with the name of a login."""
    client = request.request.client if request.request else None
    here = household(client.host) if client else ""
    return f"{request.username}@{here}" if here and request.username else here
