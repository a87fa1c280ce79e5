"""Colour profiles of screens."""

from PIL import ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """The profile of a screen whose red and blue lamps have changed places."""
    plain = SRGB
    for tag in (b"XYZ", b"TRC"):
        plain = plain.replace(b"r" + tag, b"?" + tag).replace(b"b" + tag, b"r" + tag).replace(b"?" + tag, b"b" + tag)
    return plain.replace("sRGB".encode("utf-16-be"), "lamp".encode("utf-16-be"))
