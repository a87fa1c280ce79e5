"""Pictures that the Edit tab gives to those of the visit."""

from PIL import Image

from var_core.words import counted

from ..shared import html
from ..shared.handover import ChosenEdit
from ..shared.visit_pictures import EDIT, VisitPicture
from .results import EditResult


def pictures_of(result: EditResult | None) -> list[VisitPicture]:
    """Return the results of a finished edit as pictures of the visit; none if their files are gone."""
    if result is None or not result.is_kept:
        return []
    return [_picture(result, index) for index in range(len(result.files))]


def _picture(result: EditResult, index: int) -> VisitPicture:
    shown, count = result.shown_files[index], len(result.files)
    which = f" · seed {result.requests[index].seeds[0]} of these {counted(count, 'variation')}" if count > 1 else ""
    with Image.open(shown) as picture:
        small = html.small_uri(picture.convert("RGB"), html.TINY)
    words = f"{result.name} · {result.words}{which} · {result.seconds:.1f} s"
    made = ChosenEdit(result, index)
    return VisitPicture(EDIT, result.files[index], shown, words, result.digest, made, small, nbytes=result.nbytes)
