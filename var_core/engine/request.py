"""A request to a model: pictures of classes, with seeds, settings and a plan of what is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..config import ModelSpec, Sampling
from ..schedule import Schedule
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

    def check(self, spec: ModelSpec) -> None:
        """ValueError unless a model of these sizes can make the pictures."""
        schedule, null = Schedule.of(spec.tokenizer), spec.transformer.null_label
        if not 0 <= min(self.labels) <= max(self.labels) <= null:
            raise ValueError(
                f"labels {self.labels}: this model has classes 0 to {spec.transformer.classes - 1} "
                f"and {null} for no class."
            )
        for seed in self.seeds:
            if isinstance(seed, tuple) and len(seed) != len(schedule):
                raise ValueError(f"{len(seed)} seeds for a picture of {len(schedule)} scales: give one, or as many.")
        if self.plan is not None:
            self.plan.check(schedule, spec.tokenizer.vocabulary)

    def part(self, rows: slice) -> Request:
        """The request for some of its pictures."""
        plan = None if self.plan is None else self.plan.part(rows)
        return Request(self.labels[rows], self.seeds[rows], self.sampling, plan)


def seed_at(seed: Seed, scale: int) -> int:
    """The number that a scale of a picture is drawn with."""
    return seed[scale] if isinstance(seed, tuple) else seed
