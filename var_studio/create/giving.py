"""Pictures that the Create tab gives to those of the visit."""

from PIL import Image

from var_core.engine.pipeline import Pipeline
from var_core.inspection.sweep import Sweep, title_of
from var_core.words import counted

from ..shared import controls, html
from ..shared import run as runs
from ..shared.handover import DrawnPicture
from ..shared.run import Run
from ..shared.visit_pictures import CREATE, VisitPicture


def pictures_of(pipe: Pipeline, run: Run | None) -> list[VisitPicture]:
    """Return the pictures of a run that is over, of a grid its sheet; none if another model made it.

    None either if its files are gone.
    """
    if run is None or run.digest != pipe.digest or not run.is_kept:
        return []
    if run.sweep:
        return [_grid(run, run.sweep)]
    return [_picture(pipe, run, index) for index in range(len(run.files))]


def _picture(pipe: Pipeline, run: Run, index: int) -> VisitPicture:
    file, request = run.files[index], runs.alone(run, index)
    words = [runs.picture_title(pipe, run, index), *controls.other_than(pipe.spec.default_sampling, request.sampling)]
    words += [] if run.complete(index) else ["stopped"]
    with Image.open(file) as picture:
        small = html.small_uri(picture, html.TINY)
    made = DrawnPicture(request, run.complete(index))
    return VisitPicture(CREATE, file, file, " · ".join(words), run.digest, made, small)


def _grid(run: Run, sweep: Sweep) -> VisitPicture:
    """Return the sheet of a grid, whose pictures lie beside it."""
    across, *down = (title_of(axis.name).lower() for axis in (sweep.x, sweep.y) if axis)
    words = [f"Grid of {counted(sweep.count, 'picture')}", " by ".join((across, *down)), sweep.title()]
    words += [] if run.progress.complete else ["stopped"]
    with Image.open(run.sheet) as picture:
        small = html.small_uri(picture, html.TINY)
    return VisitPicture(CREATE, run.sheet, run.sheet, " · ".join(words), run.digest, sweep, small)
