"""The loop of every training. A run is a folder: `state.pt` (resumable), `log.jsonl`, `samples-*.png`.

Every random choice is a function of (seed, step), so that a resumed run repeats an unbroken one exactly. Several
processes draw the same batch, and each takes its part of it: they go on together as one would go on alone.
"""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

import torch
from msgspec import Meta
from PIL import Image
from torch import Tensor, nn

from ..files import replacing
from ..findings.run_log import LogRow, append_log, log_of, read_log, write_log
from ..formats import ADDED_TRANSFORMER, FORMAT, FORMAT_KEY, split_format, tokenizer_of_format
from ..picture_files import save_whole
from ..schema import Fields, entry, exact
from .distributed import all_reduce_max, all_reduce_sum, differentiate, rank, world, wrap_ddp

Network = TypeVar("Network", bound=nn.Module)
Sizes = TypeVar("Sizes")
MUON_RATE = 3.0  # times the learning rate, where a step's length is AdamW's (Liu et al. 2025, section 2.2)


@dataclass(frozen=True)
class Budget:
    """Limits of a training in minutes or steps; over its last fraction, `cooldown`, the learning rate falls to zero."""

    minutes: float = math.inf
    steps: float = math.inf
    cooldown: float = 0.0

    def __post_init__(self) -> None:
        if not (self.minutes > 0 and self.steps > 0 and 0 <= self.cooldown <= 1):
            raise ValueError(
                f"minutes {self.minutes}, steps {self.steps}, cooldown {self.cooldown}: choose minutes and steps above "
                "0, and a cooldown of 0 to 1."
            )

    def used(self, seconds: float, steps: int) -> float:
        """Return the fraction of the budget spent, 1 at its end."""
        return max(seconds / 60 / self.minutes, steps / self.steps)

    def lr_scale(self, used: float) -> float:
        """Return the factor on the learning rate: 1, then falling linearly to 0 over the cooldown."""
        return min(1.0, (1 - min(used, 1.0)) / self.cooldown) if self.cooldown else 1.0


@dataclass(frozen=True)
class Optimisation:
    """Settings that all trainings share. A step's `batch` is computed in `accumulate` parts, for less memory."""

    batch: int = 8
    learning_rate: float = 5e-4
    warmup: int = 200
    weight_decay: float = 0.02
    clip: float = 1.0
    ema_decay: float = 0.999  # of the moving average of the weights
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 on a GPU, float32 on a CPU
    accumulate: int = 1
    mirror: bool = True  # half of the pictures, at random
    muon: bool = False  # Muon (Jordan et al. 2024) for the matrices of the blocks, AdamW for all else

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision '{self.precision}': choose auto, float32 or bfloat16.")
        if self.accumulate < 1:
            raise ValueError(f"accumulate {self.accumulate}: choose 1 part or more.")
        if not (self.batch >= 1 and self.learning_rate > 0 and 0 <= self.ema_decay < 1 and self.seed >= 0):
            raise ValueError(
                f"batch {self.batch}, rate {self.learning_rate}, EMA decay {self.ema_decay}, seed {self.seed}: "
                "choose a batch of 1 or more, a rate above 0, an EMA decay of 0 to below 1, a seed of 0 or more."
            )

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0, while no budget makes it fall."""
        return self.learning_rate * min(1.0, (step + 1) / self.warmup)

    def micro_batches(self, rank: int, world: int) -> list[slice]:
        """Return the parts of a batch that process `rank` of `world` computes; ValueError unless all have one size."""
        parts = world * self.accumulate
        size, rest = divmod(self.batch, parts)
        if rest:
            raise ValueError(
                f"batch {self.batch} does not divide by {world} processes x {self.accumulate} parts: choose a multiple "
                f"of {parts}, such as {(size + 1) * parts}."
            )
        first = rank * self.accumulate
        return [slice(part * size, (part + 1) * size) for part in range(first, first + self.accumulate)]


class Task(Protocol[Network]):
    """A task knows its model, its loss and its pictures, not the loop that trains it.

    `loss` returns the loss of a part of a step's batch, and what else was measured there; `after` follows the
    optimiser's step and returns what could be measured of the whole batch alone; `report` measures the averaged
    weights, `ema`.
    """

    KIND: str
    model: Network
    optimisation: Optimisation

    def loss(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]: ...
    def after(self, step: int) -> dict[str, float]: ...
    def report(self, ema: Network) -> tuple[LogRow, Image.Image]: ...
    def extra_state(self) -> Fields: ...
    def load_extra_state(self, state: Fields) -> None: ...


class Loss(nn.Module, Generic[Network]):
    """A task's loss as a network to call, since only a network can be wrapped for several processes."""

    def __init__(self, task: Task[Network]):
        super().__init__()
        self.task, self.model = task, task.model

    def forward(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]:
        return self.task.loss(step, micro_batch)


class Trainer(Generic[Network]):
    """The loop around a task: optimiser, average of the weights, state on disk.

    Where several processes train together, each has one of these; the first alone writes.
    """

    def __init__(self, task: Task[Network], out: Path):
        self.task, self.out = task, out
        self.micro_batches = task.optimisation.micro_batches(rank(), world())
        self.network = wrap_ddp(Loss(task))
        self.ema = copy.deepcopy(task.model).requires_grad_(False).eval()
        self.optimizers = _optimizers(task.model, task.optimisation)
        self.step, self.seconds = 0, 0.0
        self.asked = self.stopped = False

    def stop(self) -> None:
        """Ask all processes to end, and save, after the step they are in. A signal's handler may call it."""
        self.asked = True

    def update(self, lr_scale: float) -> dict[str, float]:
        """Take one step at `lr_scale` times the learning rate; return what was measured.

        ValueError, before the weights are changed, if the gradients are not finite: the state on disk stays good.
        """
        settings = self.task.optimisation
        rate = lr_scale * settings.rate_at(self.step)
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
        self._follow(min(settings.ema_decay, (1 + self.step) / (10 + self.step)))
        self.step += 1
        return {**measured, "norm": norm.item(), "rate": rate}

    def _differentiate(self) -> dict[str, float]:
        """Compute the gradients of a step; return the loss, and what else was measured, of the whole batch."""
        heard: list[dict[str, float]] = []

        def loss(micro_batch: slice) -> Tensor:
            with autocast(self.task.model, self.task.optimisation.precision):
                found, measured = self.network(self.step, micro_batch)
            heard.append({"loss": found.item(), **measured})
            return found

        differentiate(self.network, self.micro_batches, loss)
        means = torch.tensor([list(part.values()) for part in heard], dtype=torch.float64).mean(0)
        return dict(zip(heard[0], (all_reduce_sum(means) / world()).tolist(), strict=True))

    @torch.no_grad()
    def _follow(self, ema_decay: float) -> None:
        """Move the average towards the trained weights; what no gradient trains is taken as it is."""
        pairs = list(zip(self.ema.parameters(), self.task.model.parameters(), strict=True))
        ours, theirs = zip(*[pair for pair in pairs if pair[1].requires_grad], strict=True)
        torch._foreach_lerp_(list(ours), [p.detach() for p in theirs], 1 - ema_decay)
        for mine, given in pairs:
            if not given.requires_grad:
                mine.copy_(given)

    def save(self) -> None:
        """Write the state so that a crash leaves the old or the new one, never half."""
        if rank() > 0:
            return
        state = {
            FORMAT_KEY: FORMAT,
            "step": self.step,
            "seconds": self.seconds,
            "model": self.task.model.state_dict(),
            "ema": self.ema.state_dict(),
            **{name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "kind": self.task.KIND,
            "extra": self.task.extra_state(),
        }
        write_whole(state, self.out / "state.pt")

    def load(self) -> None:
        """Continue from out/state.pt, and drop what the log says of later steps; ValueError if it is not there."""
        state: dict[str, Any] = load_state(self.out, self.task.KIND)
        if ("muon" in state) != ("muon" in self.optimizers):
            begun, remedy = ("with", "add") if "muon" in state else ("without", "leave out")
            raise ValueError(f"{self.out} was begun {begun} Muon: {remedy} --muon.")
        try:
            self.task.load_extra_state(state["extra"])  # first: it refuses what does not fit
            self.task.model.load_state_dict(state["model"])
            self.ema.load_state_dict(state["ema"])
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(state[name])
        except (KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise ValueError(f"The state in {self.out} does not fit this training, or is damaged: {error}") from error
        self.step, self.seconds = state["step"], state["seconds"]
        if rank() == 0 and log_of(self.out).is_file():
            rows: list[dict[str, Any]] = [*read_log(self.out)]
            write_log(self.out, (row for row in rows if row["step"] <= self.step))

    def run(self, budget: Budget, save_minutes: float = 4, report_minutes: float = 10) -> Iterator[LogRow]:
        """Train, yielding the figures of every step; saves, logs and draws a sample sheet on the way and at the end.

        Ends early, and then saves alone, if `stop` was called.
        """
        first, spent = self.step, 0.0
        saved = reported = 0.0
        while not self.stopped and (used := budget.used(spent, self.step - first)) < 1:
            began = time.monotonic()
            measured = self.update(budget.lr_scale(used))
            elapsed = self._agree(time.monotonic() - began)
            spent += elapsed
            self.seconds += elapsed
            row: LogRow = {"step": self.step, "seconds": round(self.seconds, 1), "used": used, **measured}
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
        """Return the seconds of a step by the clock of process 0; note whether any process was asked to stop."""
        seconds, asked = all_reduce_max((0.0 if rank() else elapsed, float(self.asked)))
        self.stopped = bool(asked)
        return seconds

    def report(self) -> LogRow:
        """Return figures of the averaged weights on the val split; write a sheet of pictures into the run's folder."""
        if rank() > 0:
            return {}
        figures, sheet = self.task.report(self.ema)
        name = f"samples-{self.step:07d}.png"
        save_whole(sheet, self.out / name)
        return {**figures, "sheet": name}

    def log(self, row: LogRow) -> None:
        """Add a row to the run's log, in process 0 alone."""
        if rank() > 0:
            return
        append_log(self.out, row)


def write_whole(values: Mapping[str, object] | Tensor, path: Path) -> None:
    """Save with torch so that a crash leaves the old file or the new one, never half of one."""
    with replacing(path) as part:
        torch.save(values, part)


def read_whole(path: Path, remedy: str, mmap: bool = False) -> object:
    """Load what `write_whole` wrote, on the CPU; ValueError, with the remedy, if it is damaged or something else."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # torch answers damage with errors of many kinds
        raise ValueError(f"{path} is damaged, or was not written by this program: {remedy}.") from error


def upgrade(values: Mapping[str, object]) -> Fields:
    """Return the values of a training state as they are today, from those of this or any earlier format.

    Format 1 calls `ema` "average" and a discriminator "judge", and leaves out what it did not know yet. ValueError if a
    later version of this program wrote them.
    """
    version, state = split_format("The training state", values)
    if version == 1:
        state = {{"average": "ema"}.get(name, name): value for name, value in state.items()}
        state["extra"] = _upgraded_extra(state["kind"], entry(state, "extra", dict))
    if state["kind"] == "transformer" and version < 7:
        state["extra"] = {"own_mistakes": False, **entry(state, "extra", dict)}
    if state["kind"] in ("tokenizer", "decoder") and version < 3:
        extra = entry(state, "extra", dict)
        state["extra"] = {**extra, "config": tokenizer_of_format(version, extra["config"])}
    return state


def _upgraded_extra(kind: object, extra: dict[str, Any]) -> Fields:
    """Return what a task of a kind keeps beside weights, of format 1, as one of today keeps it."""
    if kind == "transformer":
        config = {**ADDED_TRANSFORMER, **extra["config"]}
        known = {"without": [], "self_correction": 0.0, "class_dropout": 0.1, "most_per_scale": 0, "batch": 0}
        return {**known, **extra, "config": config}
    if kind == "decoder":
        critics = {"judge": "discriminator", "judge_optimizer": "discriminator_optimizer"}
        renamed = {critics.get(name, name): value for name, value in extra.items()}
        maps = {critics[name]: value for name, value in (extra.get("maps") or {}).items()}
        return {"drawn": False, **renamed, "maps": maps or None}
    return extra


@dataclass(frozen=True)
class Reached:
    """All that every training state holds besides the states of optimisers."""

    kind: str
    step: Annotated[int, Meta(ge=0)]
    seconds: Annotated[float, Meta(ge=0)]
    model: dict[str, Any]
    ema: dict[str, Any]
    extra: dict[str, Any]


def config_in(extra: Mapping[str, object], kind: type[Sizes]) -> Sizes:
    """Return the sizes that the `extra` of a training state holds; ValueError if they are those of no network."""
    try:
        return exact(kind, extra["config"])
    except (TypeError, KeyError) as error:
        raise ValueError(f"The sizes in this training state are odd ({error}): it is damaged.") from error


def load_state(run: Path, *kinds: str) -> Fields:
    """Return the state of a training run of one of these kinds in a folder; ValueError if there is none."""
    path = run / "state.pt"
    if not path.is_file():
        raise ValueError(f"{run}: no training state (state.pt) here; leave out --resume, or name the run's folder.")
    values = read_whole(path, "begin anew, or name another run")
    try:
        state = upgrade(entry({"state": values}, "state", dict))
        exact(Reached, {name: state[name] for name in Reached.__dataclass_fields__})
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is no training state ({error}): begin anew, or name another run.") from error
    if state["kind"] not in kinds:
        raise ValueError(f"{run} is the run of a {state['kind']}; name that of a {' or '.join(kinds)}.")
    return state


def autocast(model: nn.Module, precision: str) -> torch.autocast:
    """Return a context in which products are bfloat16 where asked for; weights stay float32."""
    kind = next(model.parameters()).device.type
    return torch.autocast(
        kind, torch.bfloat16, enabled=precision == "bfloat16" or (precision == "auto" and kind == "cuda")
    )


def channels_last(network: Network, device: str) -> Network:
    """Move a network to a device, with the channels of its convolutions last in memory, where they are faster."""
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _optimizers(model: nn.Module, settings: Optimisation) -> dict[str, torch.optim.Optimizer]:
    """Return what trains the weights, by the name of its state; weights of a single dimension do not decay."""
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    inner = [name for name in trained if settings.muon and name.startswith("blocks.") and trained[name].ndim == 2]
    matrices = [trained.pop(name) for name in inner]
    groups = [
        {"params": [p for p in trained.values() if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained.values() if p.ndim < 2], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), fused=True)
    found: dict[str, torch.optim.Optimizer] = {"optimizer": adam}
    if settings.muon:
        weight_decay = settings.weight_decay
        found["muon"] = torch.optim.Muon(matrices, 0.0, weight_decay, adjust_lr_fn="match_rms_adamw")
    return found
