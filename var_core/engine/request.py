"""What one asks of a model: pictures of classes, with seeds, settings and a plan of what is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..config import Sampling
from .plan import Plan

Seed = int | tuple[int, ...]  # of a picture: one for all scales, or one for each


@dataclass(frozen=True)
class Request:
    """Pictures to make: one label and one `Seed` each; `plan` None means that all tokens are free."""

    labels: tuple[int, ...]
    seeds: tuple[Seed, ...]
    sampling: Sampling = field(default_factory=Sampling)
    plan: Plan | None = None

    def __post_init__(self) -> None:
        if not self.labels or len(self.labels) != len(self.seeds):
            raise ValueError(f"{len(self.labels)} labels and {len(self.seeds)} seeds: give one seed to each label.")
        if self.plan is not None and self.plan.batch != len(self.labels):
            raise ValueError(f"a plan for {self.plan.batch} pictures, but {len(self.labels)} labels.")
        for seed in (number for one in self.seeds for number in (one if isinstance(one, tuple) else (one,))):
            if not 0 <= seed < 2**63:
                raise ValueError(f"seed {seed} is out of range: choose 0 to {2**63 - 1}.")

    def part(self, rows: slice) -> Request:
        """The request for some of its pictures."""
        plan = None if self.plan is None else self.plan.part(rows)
        return Request(self.labels[rows], self.seeds[rows], self.sampling, plan)


def seed_at(seed: Seed, scale: int) -> int:
    """The number that a scale of a picture is drawn with."""
    return seed[scale] if isinstance(seed, tuple) else seed
