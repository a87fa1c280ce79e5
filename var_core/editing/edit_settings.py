"""Settings of how an edit is done."""

from dataclasses import dataclass, replace

from ..config import Sampling
from ..settings import Setting, check, declared
from .canvas import FILLS

MOST_CONTEXT, MOST_HARMONISED, MOST_CANDIDATES, MOST_LIKENESS = 10, 32, 16, 12
FAINTEST = 16  # levels of 255: what is darker in a soft mask is noise of its file, and not painted


@dataclass(frozen=True)
class EditSettings:
    """Settings of how an edit is done. Pixels are the photo's."""

    fill: str = declared(
        "navier-stokes",
        Setting(
            "Fill",
            "What the hole holds while the model looks at the photo.",
            choices=FILLS,
            choice_words=(
                "colours spread inwards (spread)",
                "edges go on inwards, layer by layer (telea)",
                "edges flow on inwards (navier-stokes)",
                "the average colour (mean)",
                "grey (none)",
            ),
        ),
    )
    first_free_scale: int = declared(
        2, Setting("Kept scales", "How many first, coarse scales keep the photo's layout.", 0, 10_000, most_shown=10)
    )
    min_coverage: float = declared(
        0.6,
        Setting(
            "Repaint cells covered by more than (min coverage)",
            "The share of a token's cell that must be painted for it to be drawn anew.",
            0,
            1,
            0.05,
        ),
    )
    follow: bool = declared(
        True,
        Setting(
            "Fit what is kept to what is new (follow)", "Kept tokens correct what new ones beside them spill over."
        ),
    )
    match: bool = declared(True, Setting("Match colours", "Colours shift smoothly, so that the seam has no step."))
    detail: bool = declared(
        True, Setting("Detail", "Detail finer than the model draws is borrowed from elsewhere in the photo.")
    )
    dilate: int = declared(
        0, Setting("Dilate", "Pixels added around the mask; below 0 it shrinks.", -4096, 4096, typed=True)
    )
    feather: int = declared(2, Setting("Feather", "Pixels over which the edge blends.", 0, 4096, typed=True))
    context: float = declared(
        2.0, Setting("Context", "How much around the mask the model sees, in its size.", 1, MOST_CONTEXT, 0.05)
    )
    harmonise: int = declared(
        0,
        Setting(
            "Blend the seam once more (harmonise)",
            "How wide a strip along the seam, in the model's pixels, is drawn a second time; 0 is off.",
            0,
            MOST_HARMONISED,
        ),
    )
    shown: bool = declared(
        True,
        Setting("See surroundings", "The model sees kept tokens of the scale that it draws; if it has learned to."),
    )

    candidates: int = declared(
        3,
        Setting(
            "Candidates",
            "Without a class each variation is, of so many that are drawn, the one that fits its surroundings best.",
            1,
            MOST_CANDIDATES,
        ),
    )
    soft: bool = declared(
        False,
        Setting("Soft mask", "Greys in the file of a mask say how much of the result shows there. Off: cut at half."),
    )

    likeness: float = declared(
        0.0,
        Setting(
            "Keep its shape",
            "What is drawn leans towards what was there, at the coarse scales most. 0: it is not looked at.",
            0,
            MOST_LIKENESS,
            0.5,
        ),
    )

    smallest_square: float = declared(
        1.0,
        Setting(
            "Smallest square",
            "The least width of the model's square, as a share of what it encodes. Below 1, small parts grow.",
            0.05,
            1,
            0.05,
        ),
    )

    def __post_init__(self) -> None:
        check(self)


FILLING_TOP_K = 30  # without a class nothing says what an unlikely code could be for


def usual_sampling(sampling: Sampling, with_class: bool) -> Sampling:
    """Return how an edit draws by default, for the default `sampling` of a model: without a class it dares less."""
    if with_class or 0 < sampling.top_k <= FILLING_TOP_K:
        return sampling
    return replace(sampling, top_k=FILLING_TOP_K)


REPAINTING = EditSettings()
# What is taken away leaves a rim and a shadow; and among more candidates is one with nothing in the thing's place.
REMOVING = EditSettings(dilate=4, candidates=6)
# The coarsest scales hold colours and layout, and what shall become something else needs other ones. Whoever sees what
# is around it continues that: so little of it is kept, and the new thing fills the square, as things do in training.
CHANGING = EditSettings(first_free_scale=0, min_coverage=0.1, shown=False, context=1.15, smallest_square=0.25)
