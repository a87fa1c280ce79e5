"""The loop of every training. A run is a folder: `state.pt` (resumable), `log.jsonl`, `samples-*.png`.

Every random choice is a function of (seed, step), so that a resumed run repeats an unbroken one exactly. Several
processes draw the same batch, and each takes its share: they go on together as one would go on alone.
"""

import copy
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from PIL import Image
from torch import Tensor, nn

from .distributed import differentiate, joined, largest, rank, total, world

MUON_RATE = 3.0  # times the learning rate, where a step's length is AdamW's (Liu et al. 2025, section 2.2)


@dataclass(frozen=True)
class Budget:
    """How long to train (minutes, or steps), and over which last part of that the learning rate falls to zero."""

    minutes: float = math.inf
    steps: float = math.inf
    decay: float = 0.0

    def __post_init__(self):
        if not (self.minutes > 0 and self.steps > 0 and 0 <= self.decay <= 1):
            raise ValueError(
                f"minutes {self.minutes}, steps {self.steps}, decay {self.decay}: choose minutes and steps above 0, "
                "and a decay of 0 to 1."
            )

    def used(self, seconds: float, steps: int) -> float:
        """Fraction of the budget spent, 1 at its end."""
        return max(seconds / 60 / self.minutes, steps / self.steps)

    def gain(self, used: float) -> float:
        """Factor on the learning rate, 1 and then falling to 0 (linearly over the tail)."""
        return min(1.0, (1 - min(used, 1.0)) / self.decay) if self.decay else 1.0


@dataclass(frozen=True)
class Optimisation:
    """Settings that all trainings share. A step's `batch` is computed in `accumulate` parts, for less memory."""

    batch: int = 8
    learning_rate: float = 5e-4
    warmup: int = 200
    weight_decay: float = 0.02
    clip: float = 1.0
    average: float = 0.999
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 on a GPU, float32 on a CPU
    accumulate: int = 1
    mirror: bool = True  # half of the pictures, at random
    muon: bool = False  # Muon (Jordan et al. 2024) for the matrices of the blocks, AdamW for all else

    def __post_init__(self):
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision '{self.precision}': choose auto, float32 or bfloat16.")
        if self.accumulate < 1:
            raise ValueError(f"accumulate {self.accumulate}: choose 1 part or more.")
        if not (self.batch >= 1 and self.learning_rate > 0 and 0 <= self.average < 1 and self.seed >= 0):
            raise ValueError(
                f"batch {self.batch}, rate {self.learning_rate}, average {self.average}, seed {self.seed}: choose "
                "a batch of 1 or more, a rate above 0, an average of 0 to below 1, a seed of 0 or more."
            )

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0, while no budget makes it fall."""
        return self.learning_rate * min(1.0, (step + 1) / self.warmup)

    def shares(self, rank: int, world: int) -> list[slice]:
        """The parts of a batch that process `rank` of `world` computes; ValueError unless all are of one size."""
        parts = world * self.accumulate
        size, rest = divmod(self.batch, parts)
        if rest:
            raise ValueError(
                f"batch {self.batch} does not divide by {world} processes x {self.accumulate} parts: choose a multiple "
                f"of {parts}, such as {(size + 1) * parts}."
            )
        first = rank * self.accumulate
        return [slice(part * size, (part + 1) * size) for part in range(first, first + self.accumulate)]


class Task(Protocol):
    """What is trained: knows its model, its loss and its pictures, not the loop.

    `loss` is that of a share of a step's batch, with what else was measured there; `after` follows the optimiser's step
    and returns what could be measured of the whole batch alone.
    """

    KIND: str
    model: nn.Module
    optimisation: Optimisation

    def loss(self, step: int, share: slice) -> tuple[Tensor, dict[str, float]]: ...
    def after(self, step: int) -> dict[str, float]: ...
    def report(self, average: nn.Module) -> tuple[dict, Image.Image]: ...
    def extra_state(self) -> dict: ...
    def load_extra_state(self, state: dict) -> None: ...


class Loss(nn.Module):
    """A task's loss as a network to call, which is what may be joined with those of other processes."""

    def __init__(self, task: Task):
        super().__init__()
        self.task, self.model = task, task.model

    def forward(self, step: int, share: slice) -> tuple[Tensor, dict[str, float]]:
        return self.task.loss(step, share)


class Trainer:
    """The loop around a task: optimiser, average of the weights, state on disk.

    Where several processes train together, each has one of these; the first alone writes.
    """

    def __init__(self, task: Task, out: Path):
        self.task, self.out = task, out
        self.shares = task.optimisation.shares(rank(), world())
        self.network = joined(Loss(task))
        self.average = copy.deepcopy(task.model).requires_grad_(False).eval()
        self.optimizers = _optimizers(task.model, task.optimisation)
        self.step, self.seconds = 0, 0.0
        self.asked = self.stopped = False

    @property
    def log_file(self) -> Path:
        """A row of figures every few steps, as JSON."""
        return self.out / "log.jsonl"

    def stop(self) -> None:
        """Ask all processes to end, and save, after the step they are in. A signal's handler may call it."""
        self.asked = True

    def update(self, gain: float) -> dict[str, float]:
        """One step at `gain` times the learning rate; returns what was measured.

        ValueError, before the weights are changed, if the gradients are not finite: the state on disk stays good.
        """
        settings = self.task.optimisation
        rate = gain * settings.rate_at(self.step)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = (MUON_RATE if name == "muon" else 1.0) * rate
        measured = self._differentiate()
        norm = nn.utils.clip_grad_norm_(self.task.model.parameters(), settings.clip)
        if not norm.isfinite():
            raise ValueError(
                f"the gradients of step {self.step + 1} are not finite: go on from the last state with --resume "
                "and a lower --rate."
            )
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        measured |= self.task.after(self.step)
        self._follow(min(settings.average, (1 + self.step) / (10 + self.step)))
        self.step += 1
        return {**measured, "norm": norm.item(), "rate": rate}

    def _differentiate(self) -> dict[str, float]:
        """The gradients of a step; returns the loss, and what else was measured, of the whole batch."""
        heard = []

        def loss(share: slice) -> Tensor:
            with autocast(self.task.model, self.task.optimisation.precision):
                found, measured = self.network(self.step, share)
            heard.append({"loss": found.item(), **measured})
            return found

        differentiate(self.network, self.shares, loss)
        means = torch.tensor([list(part.values()) for part in heard], dtype=torch.float64).mean(0)
        return dict(zip(heard[0], (total(means) / world()).tolist(), strict=True))

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        """Move the average towards the trained weights; what no gradient trains is taken as it is."""
        pairs = list(zip(self.average.parameters(), self.task.model.parameters(), strict=True))
        ours, theirs = zip(*[pair for pair in pairs if pair[1].requires_grad], strict=True)
        torch._foreach_lerp_(list(ours), [p.detach() for p in theirs], 1 - keep)
        for mine, given in pairs:
            if not given.requires_grad:
                mine.copy_(given)

    def save(self) -> None:
        """Write the state so that a crash leaves the old or the new one, never half."""
        if rank() > 0:
            return
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "model": self.task.model.state_dict(),
            "average": self.average.state_dict(),
            **{name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "kind": self.task.KIND,
            "extra": self.task.extra_state(),
        }
        write_whole(state, self.out / "state.pt")

    def load(self) -> None:
        """Continue from out/state.pt, and drop what the log says of later steps; ValueError if it is not there."""
        state = load_state(self.out, self.task.KIND)
        if ("muon" in state) != ("muon" in self.optimizers):
            begun, remedy = ("with", "add") if "muon" in state else ("without", "leave out")
            raise ValueError(f"{self.out} was begun {begun} Muon: {remedy} --muon.")
        self.task.load_extra_state(state["extra"])  # first: it refuses what does not fit
        self.step, self.seconds = state["step"], state["seconds"]
        self.task.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])
        if rank() > 0:
            return
        log = self.log_file
        rows = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.is_file() else []
        log.write_text("".join(row for row in rows if json.loads(row)["step"] <= self.step), encoding="utf-8")

    def run(self, budget: Budget, save_minutes: float = 4, report_minutes: float = 10) -> Iterator[dict]:
        """Train, yielding the figures of every step; saves, logs and draws a sample sheet on the way and at the end.

        Ends early, and then saves alone, if `stop` was called.
        """
        first, spent = self.step, 0.0
        saved = reported = 0.0
        while not self.stopped and (used := budget.used(spent, self.step - first)) < 1:
            began = time.monotonic()
            measured = self.update(budget.gain(used))
            elapsed = self._agree(time.monotonic() - began)
            spent += elapsed
            self.seconds += elapsed
            row = {"step": self.step, "seconds": round(self.seconds, 1), "used": used, **measured}
            if spent - saved > 60 * save_minutes:
                saved = spent
                self.save()
            if spent - reported > 60 * report_minutes:
                reported, row = spent, {**row, **self.report()}
            if self.step % 20 == 0 or "sheet" in row:
                self.log(row)
            yield row
        if not self.stopped:  # before the state says that all is done: a crash must not cost the last figures
            self.log({"step": self.step, "seconds": round(self.seconds, 1), **self.report()})
        self.save()

    def _agree(self, elapsed: float) -> float:
        """The seconds of a step by the clock of process 0; notes whether any process was asked to stop."""
        seconds, asked = largest((0.0 if rank() else elapsed, float(self.asked)))
        self.stopped = bool(asked)
        return seconds

    def report(self) -> dict:
        """Figures of the averaged weights on the val split, and a sheet of pictures in the run's folder."""
        if rank() > 0:
            return {}
        figures, sheet = self.task.report(self.average)
        name = f"samples-{self.step:07d}.png"
        sheet.save(self.out / name)
        return {**figures, "sheet": name}

    def log(self, row: dict) -> None:
        if rank() > 0:
            return
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def write_whole(values: dict, path: Path) -> None:
    """Save so that a crash leaves the old file or the new one, never half of one."""
    partial = path.with_name(path.name + ".part")
    torch.save(values, partial)
    os.replace(partial, path)


def load_state(run: Path, *kinds: str) -> dict:
    """The state of a training run of one of these kinds in a folder; ValueError if there is none."""
    path = run / "state.pt"
    if not path.is_file():
        raise ValueError(f"{run}: no training state (state.pt) here; leave out --resume, or name the run's folder.")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["kind"] not in kinds:
        raise ValueError(f"{run} is the run of a {state['kind']}; name that of a {' or '.join(kinds)}.")
    return state


def autocast(model: nn.Module, precision: str) -> torch.autocast:
    """Products in bfloat16 where asked for; weights stay float32."""
    kind = next(model.parameters()).device.type
    return torch.autocast(
        kind, torch.bfloat16, enabled=precision == "bfloat16" or (precision == "auto" and kind == "cuda")
    )


def _optimizers(model: nn.Module, settings: Optimisation) -> dict[str, torch.optim.Optimizer]:
    """What trains the weights, by the name of its state. What has a single dimension does not decay."""
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    inner = [name for name in trained if settings.muon and name.startswith("blocks.") and trained[name].ndim == 2]
    matrices = [trained.pop(name) for name in inner]
    groups = [
        {"params": [p for p in trained.values() if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained.values() if p.ndim < 2], "weight_decay": 0.0},
    ]
    found = {"optimizer": torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), fused=True)}
    if settings.muon:
        decay = settings.weight_decay
        found["muon"] = torch.optim.Muon(matrices, lr=0.0, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    return found
