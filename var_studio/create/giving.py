"""Pictures that the Create tab gives to those of the visit."""

from PIL import Image

from var_core.engine.pipeline import Pipeline

from ..shared import controls, html
from ..shared import run as runs
from ..shared.handover import DrawnPicture
from ..shared.run import Run
from ..shared.visit_pictures import CREATE, VisitPicture


def pictures_of(pipe: Pipeline, run: Run | None) -> list[VisitPicture]:
    """Return the pictures of a run that is over; none if another model made it, or its files are gone."""
    if run is None or run.digest != pipe.digest:
        return []
    return [_picture(pipe, run, index) for index in range(len(run.files))]


def _picture(pipe: Pipeline, run: Run, index: int) -> VisitPicture:
    file, request = run.files[index], runs.alone(run, index)
    words = [runs.named(pipe, run, index), *controls.other_than(pipe.spec.default_sampling, request.sampling)]
    words += [] if run.complete(index) else ["stopped"]
    with Image.open(file) as picture:
        small = html.small_uri(picture, html.TINY)
    made = DrawnPicture(request, run.complete(index))
    return VisitPicture(CREATE, file, file, " · ".join(words), run.digest, made, small)
