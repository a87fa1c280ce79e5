"""Tells how far the pictures of a request are, which are made in parts, one after another, where memory is short."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from .sampling import Step


@dataclass(frozen=True)
class Progress:
    """The steps so far of each part that has begun; all parts but the last are whole. Nothing in it changes later."""

    parts: tuple[tuple[Step, ...], ...]
    count: int  # pictures asked for
    at_once: int  # pictures in a part, at most
    scales: int  # steps of a part that is whole

    @property
    def last(self) -> Step:
        """The step made last, of the pictures in its part alone."""
        return self.parts[-1][-1]

    @property
    def begun(self) -> int:
        """The number of pictures that have begun; they are the first of those asked for."""
        return sum(_pictures(part) for part in self.parts)

    @property
    def under_way(self) -> range:
        """The pictures that the step made last is of."""
        return range(self.begun - _pictures(self.parts[-1]), self.begun)

    @property
    def complete(self) -> bool:
        return self.begun == self.count and len(self.parts[-1]) == self.scales

    @property
    def fraction(self) -> float:
        """The part of the steps of all pictures that is made: from 0 to 1."""
        made = sum(_pictures(part) * len(part) for part in self.parts)
        return made / (self.count * self.scales)

    @property
    def f_hat(self) -> Tensor:
        """f_hat of all pictures that have begun, each after its own last step: (begun, C, s_K, s_K)."""
        return torch.cat([part[-1].f_hat for part in self.parts])

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that each of the pictures that have begun has come to."""
        return tuple(_joined(same) for same in zip(*self.parts, strict=False))

    def of(self, index: int) -> tuple[Step, ...]:
        """The steps of the picture at an index among those that have begun, as if it were alone."""
        part, row = [(part, row) for part in self.parts for row in range(_pictures(part))][index]
        return tuple(_alone(step, row) for step in part)


def _pictures(part: tuple[Step, ...]) -> int:
    return len(part[-1].tokens)


def _joined(steps: tuple[Step, ...]) -> Step:
    """Join the steps of several parts into one."""
    names = _tensors(steps[0])
    return _replaced(steps[0], {name: torch.cat([getattr(step, name) for step in steps]) for name in names})


def _alone(step: Step, row: int) -> Step:
    """A step of one of its pictures."""
    return _replaced(step, {name: getattr(step, name)[row : row + 1] for name in _tensors(step)})


def _replaced(step: Step, tensors: dict[str, Any]) -> Step:
    """A step with other tensors."""
    return replace(step, **tensors)


def _tensors(step: Step) -> list[str]:
    """The names of what a step has for every picture."""
    return [field.name for field in fields(step) if isinstance(getattr(step, field.name), Tensor)]
