"""Picture files, read as pixels: upright, in sRGB, 8 bits. No tensors, so that it can be done in a small process."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

MOST_MEGAPIXELS = 50
# What a picture file may be. Others, as PostScript, Pillow may hand to programs outside, whatever the file is called.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM")
SMALLER = "Make it smaller first, for example 6000 pixels on its longer side."


def flat(picture: Image.Image) -> Image.Image:
    """Turn a picture of any mode upright, in sRGB: transparency over white, 16 bits and floats scaled to 8."""
    upright = _in_srgb(turned_upright(picture))
    if upright.mode.startswith("I") or upright.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(upright))).convert("RGB")
    if upright.has_transparency_data:
        under = Image.new("RGBA", upright.size, "white")
        return Image.alpha_composite(under, upright.convert("RGBA")).convert("RGB")
    return upright.convert("RGB")


def turned_upright(picture: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF says; as it lies where that is damaged."""
    try:
        picture.getexif()
    except Exception:  # Pillow answers damage with errors of many kinds
        return picture.copy()
    return ImageOps.exif_transpose(picture)


def _in_srgb(picture: Image.Image) -> Image.Image:
    """Give a picture the colours that its profile means; leave it as it is where that is sRGB, absent or damaged."""
    stored = picture.info.get("icc_profile")
    if not stored or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(stored))
        if "srgb" in ImageCms.getProfileDescription(profile).lower():
            return picture
        colours = picture.convert("RGB") if picture.mode == "RGBA" else picture
        turned = ImageCms.profileToProfile(colours, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return picture
    assert turned is not None  # profileToProfile gives None only where it works in place
    if picture.mode == "RGBA":
        turned.putalpha(picture.getchannel("A"))
    return turned


def _eight_bits(levels: np.ndarray) -> np.ndarray:
    """Grey levels of a wider type (H, W) as uint8: whole numbers have 16 bits, floats go to 1, or else to 255."""
    if levels.dtype.kind == "f":
        top = 1 if levels[np.isfinite(levels)].max(initial=0) <= 1 else 255
        return (np.nan_to_num(levels).clip(0, top) * (255 / top)).round().astype(np.uint8)
    return (levels.astype(np.float64).clip(0, 65535) / 257).round().astype(np.uint8)


class UnusablePicture(ValueError):
    """A picture that can be read, but not be used."""


def open_file(file: Path | str) -> Image.Image:
    """Open a picture file of one of `FORMATS`, of which only the head is read; errors are Pillow's."""
    Image.init()
    return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])


@contextmanager
def open_image(path: Path | str, what: str) -> Iterator[Image.Image]:
    """Open a picture file, to read it as a "photo" or a "mask"; ValueError with the remedy if it cannot be used."""
    name = Path(path).name
    try:
        with open_file(path) as picture:
            check_size(name, *picture.size)
            frames = getattr(picture, "n_frames", 1)
            if picture.format != "MPO" and frames > 1:  # cameras put a preview behind an MPO
                raise UnusablePicture(f"{name} has {frames} frames: save the one you want as a PNG.")
            yield picture
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file.") from error
    except UnusablePicture:
        raise
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} has too many pixels: at most {MOST_MEGAPIXELS} megapixels. {SMALLER}") from error
    except Exception as error:  # Pillow answers damage with errors of many kinds
        raise ValueError(f"{name} is not a {what} that can be read: choose a PNG, JPEG or WebP file.") from error


def check_size(name: str, width: int, height: int, most: int = MOST_MEGAPIXELS) -> None:
    """`UnusablePicture`, with the remedy, for a picture of more than so many megapixels."""
    if max(width, height) > most * 1e6:  # such numbers need not even fit into a float
        raise UnusablePicture(f"{name} has more than {most} megapixels. {SMALLER}")
    megapixels = width * height / 1e6
    if megapixels > most:
        raise UnusablePicture(
            f"{name} has {width} x {height} pixels, {megapixels:.0f} megapixels: at most {most}. {SMALLER}"
        )


def open_photo(path: Path | str) -> np.ndarray:
    """Read a photo from a file as uint8 (H, W, 3), upright; ValueError with the remedy if it cannot be used."""
    with open_image(path, "picture") as picture:
        return np.array(flat(picture))


def open_levels(path: Path | str, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Read a mask from a file as levels uint8 (H, W), 255 = repaint, for a photo of (width, height).

    They are its greys; in a file that is transparent somewhere, how opaque it is. Another size is resized to the
    nearest pixel, and returned beside the levels (None: it fitted). ValueError if the file cannot be used.
    """
    with open_image(path, "mask") as picture:
        upright = turned_upright(picture)
        levels = flat(upright).convert("L")
        if upright.has_transparency_data:
            alpha = upright.convert("RGBA").getchannel("A")
            levels = alpha if np.asarray(alpha).min() < 255 else levels
    found = None if levels.size == size else levels.size
    return np.asarray(levels.resize(size, Image.Resampling.NEAREST)), found


def open_mask(path: Path | str, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Read a mask from a file as bool (H, W), True = repaint: what is above half; see `open_levels`."""
    levels, found = open_levels(path, size)
    return levels > 127, found
