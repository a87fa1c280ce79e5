"""Training of both networks. A run is a folder: `state.pt` (resumable), `log.jsonl`, `samples-*.png`.

Every random choice is a function of (seed, step), so that a resumed run repeats an unbroken one exactly. Several
processes draw the same batch, and each takes its share: they go on together as one would go on alone.
"""

import copy
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .checkpoints import SUFFIX, load, load_strict, save
from .config import SCALES, ModelSpec, TokenizerConfig, TransformerConfig
from .data import Classes, Draws, PictureSet
from .features import ImageFeatures, perceptual_distance
from .images import grid, to_pil
from .plan import Plan
from .processes import differentiate, joined, largest, rank, total, world
from .quantizer import Quantized
from .sampling import Sampling, steps
from .transfer import adapted
from .transformer import VAR, initialise, leave_out
from .vqvae import Preview, Tokenizer


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
        self.optimizer = torch.optim.AdamW(
            _decay_groups(task.model, task.optimisation.weight_decay), lr=0.0, betas=(0.9, 0.95), fused=True
        )
        self.step, self.seconds = 0, 0.0
        self.asked = self.stopped = False

    def stop(self) -> None:
        """Ask all processes to end, and save, after the step they are in. A signal's handler may call it."""
        self.asked = True

    def update(self, gain: float) -> dict[str, float]:
        """One step at `gain` times the learning rate; returns what was measured."""
        settings = self.task.optimisation
        rate = settings.learning_rate * gain * min(1.0, (self.step + 1) / settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        measured = self._differentiate()
        norm = nn.utils.clip_grad_norm_(self.task.model.parameters(), settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
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
            "optimizer": self.optimizer.state_dict(),
            "kind": self.task.KIND,
            "extra": self.task.extra_state(),
        }
        write_whole(state, self.out / "state.pt")

    def load(self) -> None:
        """Continue from out/state.pt, and drop what the log says of later steps; ValueError if it is not there."""
        state = load_state(self.out, self.task.KIND)
        self.task.load_extra_state(state["extra"])  # first: it refuses what does not fit
        self.step, self.seconds = state["step"], state["seconds"]
        self.task.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if rank() > 0:
            return
        log = self.out / "log.jsonl"
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
        self.save()
        if not self.stopped:
            self.log({"step": self.step, "seconds": round(self.seconds, 1), **self.report()})

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
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
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


def _decay_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


class CodebookMeans:
    """The codebook as running means of the vectors assigned to each code (van den Oord et al. 2017, appendix A.1).

    A code that nothing chooses any more is put onto a random vector of the batch. `weight` > 0 makes the means begin at
    the codebook as it is, as if so many vectors of each step had stood for every code so far.
    """

    def __init__(self, codebook: Tensor, keep: float = 0.99, dead_below: float = 0.1, weight: float = 0.0):
        self.codebook, self.keep, self.dead_below = codebook, keep, dead_below
        self.counts = torch.full_like(codebook[:, 0], weight)  # (V,)
        self.sums = weight * codebook  # (V, C)

    @torch.no_grad()
    def update(self, said: Tensor) -> int:
        """Follow a batch's `tally`; dead codes move to the vectors that it offers. Returns how many were dead."""
        width = self.codebook.shape[1]
        counts, sums, offered = said.split((1, width, width), 1)
        self.counts.mul_(self.keep).add_(counts[:, 0], alpha=1 - self.keep)
        self.sums.mul_(self.keep).add_(sums, alpha=1 - self.keep)
        dead = self.counts < self.dead_below * (1 - self.keep)
        self.counts[dead] = 1 - self.keep
        self.sums[dead] = offered[dead] * (1 - self.keep)
        self.codebook.copy_(self.sums / self.counts[:, None])
        return int(dead.sum())


def tally(tokens: Tensor, vectors: Tensor, places: Tensor) -> Tensor:
    """What a batch, or a part of one, says of each code: (V, 1 + 2C). Those of all parts add up to that of the batch.

    tokens (n,) stood for vectors (n, C). Of a code: how often it was chosen, the sum of its vectors, and the vector at
    places (V,), which it may be moved to: zeros if that is before the first of this part, or behind the last.
    """
    ones = vectors.new_ones(len(vectors), 1)
    chosen = vectors.new_zeros(len(places), 1 + vectors.shape[1])
    chosen.index_add_(0, tokens, torch.cat((ones, vectors), 1))
    inside = (places >= 0) & (places < len(vectors))
    offered = vectors[places.clamp(0, len(vectors) - 1)] * inside[:, None]
    return torch.cat((chosen, offered), 1)


def draw_pictures(
    pictures: PictureSet, draws: Draws, chance: np.random.Generator, size: int, share: slice
) -> tuple[Tensor, Tensor, Tensor]:
    """Row numbers (b,), which of them are mirrored, bool (b,), and these pictures (b, 3, S, S), of a share of a batch.

    All of the batch of `size` is drawn, so that the shares of all processes are the batch of one.
    """
    rows = draws.batch(chance, size)[share]
    flips = torch.from_numpy(chance.random(size) < 0.5)[share]
    return rows, flips, pictures.images(rows, flips)


def pixel_loss(decoded: Tensor, images: Tensor) -> Tensor:
    """L1 + L2 of pictures (B, 3, S, S)."""
    error = decoded - images
    return error.abs().mean() + error.square().mean()


def grown(start: Tokenizer, config: TokenizerConfig) -> Tokenizer:
    """A copy of `start` with more residual blocks (or as many), which gives the same tokens and pictures until trained.

    What is added keeps silent at first: its last convolutions are zero. One of other maps, of which the last is as
    large, or with other `own_codes`, begins with the same networks, but has tokens of its own. ValueError where sizes
    differ otherwise.
    """
    maps = {"sides": config.sides, "order": config.order, "own_codes": config.own_codes}
    same = replace(start.config, residual_blocks=config.residual_blocks, **maps) == config
    fewer = config.residual_blocks < start.config.residual_blocks
    if not same or fewer or config.sides[-1] != start.config.sides[-1]:
        raise ValueError(
            f"A tokenizer of {start.config} cannot grow into one of {config}: blocks can be added, and all its maps "
            "but the last one be others."
        )
    made = Tokenizer(config)
    known = made.state_dict().keys()
    given = {name: value for name, value in copy.deepcopy(start.state_dict()).items() if name in known}
    load_strict(made, {**made.state_dict(), **given})
    for name, parameter in made.named_parameters():
        if name not in given and name.rsplit(".", 2)[-2] in ("conv2", "project"):
            nn.init.zeros_(parameter)
    return made


class TokenizerTask:
    """Reconstruction (L1 + L2), perceptual and commitment losses; the codebook follows its vectors.

    With `start` training begins from its weights, see `grown`.
    """

    KIND = "tokenizer"

    def __init__(
        self,
        config: TokenizerConfig,
        train: PictureSet,
        val: PictureSet,
        classes: Classes,
        optimisation: Optimisation,
        device: str = "cpu",
        perceptual: float = 0.2,
        commitment: float = 0.25,
        start: Tokenizer | None = None,
    ):
        made = grown(start, config) if start else Tokenizer(config)
        self.model = made.to(device, memory_format=torch.channels_last)
        quantizer = self.model.quantizer
        quantizer.requires_grad_(False)  # the codebook; and convolutions that no scale uses
        for scale in range(len(quantizer.schedule)):
            quantizer.phi(scale).requires_grad_(True)
        self.optimisation, self.device = optimisation, device
        self.perceptual, self.commitment = perceptual, commitment
        self.features = ImageFeatures().to(device)
        self.train, self.val = train, val
        self.draws = Draws.over(train.labels, classes, optimisation.seed)
        share = optimisation.batch * quantizer.schedule.total / config.vocabulary  # of a code in a step
        known = start is not None and (start.config.sides, start.config.own_codes) == (config.sides, config.own_codes)
        self.means = CodebookMeans(quantizer.codebook.data, weight=share if known else 0.0)
        self.said: list[Tensor] = []  # tallies of the parts of a step

    def loss(self, step: int, share: slice) -> tuple[Tensor, dict[str, float]]:
        *_, drawn = draw_pictures(self.train, self.draws, self.draws.generator(step), self.optimisation.batch, share)
        images = drawn.to(self.device, memory_format=torch.channels_last)
        f = self.model.features(images).float()
        with torch.autocast(f.device.type, enabled=False):
            found = list(self.model.quantizer.quantize(f))
        towards = [F.mse_loss(q.f_hat, f.detach()) + self.commitment * F.mse_loss(f, q.f_hat.detach()) for q in found]
        quantizing = torch.stack(towards).mean()
        decoded = self.model.decode_unclamped(f + (found[-1].f_hat - f).detach()).float()
        pixels = pixel_loss(decoded, images)
        perceived = perceptual_distance(self.features, decoded, images)
        self.said.append(self.hear(found, step, share.start))
        measured = {"pixels": pixels.item(), "perceptual": perceived.item(), "quantizing": quantizing.item()}
        return pixels + self.perceptual * perceived + quantizing, measured

    def hear(self, found: list[Quantized], step: int, first: int) -> Tensor:
        """The `tally` of the part of a step's batch that begins at picture `first`."""
        tokens = torch.cat([q.tokens for q in found], 1).flatten()
        vectors = torch.cat([q.residual.detach() for q in found], 1).flatten(0, 1)
        places = self.offers(self.draws.generator(step + 2**40)) - first * self.model.quantizer.schedule.total
        return tally(tokens, vectors, torch.from_numpy(places).to(vectors.device))

    def offers(self, chance: np.random.Generator) -> np.ndarray:
        """For each code a random place in a step's batch, (V,), among those where it may be chosen."""
        quantizer, batch = self.model.quantizer, self.optimisation.batch
        length, vocabulary = quantizer.schedule.total, len(self.means.counts)
        if not quantizer.own_codes:
            return chance.integers(batch * length, size=vocabulary)
        found = []
        for scale, span in enumerate(quantizer.schedule.spans):
            allowed = quantizer.allowed(scale)
            count = allowed.stop - allowed.start
            found.append(
                length * chance.integers(batch, size=count) + chance.integers(span.start, span.stop, size=count)
            )
        return np.concatenate(found)

    def after(self, _step: int) -> dict[str, float]:
        """Move the codebook; returns how many codes the batch uses."""
        said, self.said = total(torch.stack(self.said).sum(0)), []
        self.means.update(said)
        return {"codes": int((said[:, 0] > 0).sum())}

    def report(self, average: Tokenizer) -> tuple[dict, Image.Image]:
        """See `reconstruction_report`."""
        return reconstruction_report(average, self.val, self.device)

    def extra_state(self) -> dict:
        return {"config": asdict(self.model.config), "counts": self.means.counts, "sums": self.means.sums}

    def load_extra_state(self, state: dict) -> None:
        self.means.counts.copy_(state["counts"])
        self.means.sums.copy_(state["sums"])


@torch.no_grad()
def reconstruction_report(tokenizer: Tokenizer, val: PictureSet, device: str) -> tuple[dict, Image.Image]:
    """PSNR in dB and codebook use per scale on up to 256 val pictures; a sheet of pairs."""
    rows = torch.linspace(0, len(val) - 1, min(256, len(val))).long()
    decibels, sequences, shown = [], [], []
    for part in rows.split(32):
        images = val.images(part).to(device)
        tokens = tokenizer.encode(images)
        sequences.append(torch.cat(tokens, 1))
        decoded = tokenizer.decode(tokenizer.quantizer.features(tokens))
        decibels.append(psnr(decoded, images))
        shown.append(torch.stack((images[:4], decoded[:4]), 1).flatten(0, 1))
    found = torch.cat(sequences)  # (N, L)
    used = [len(tokens.unique()) for tokens in tokenizer.quantizer.schedule.maps(found)]
    figures = {"psnr": torch.cat(decibels).mean().item(), "codes_by_scale": used, "codes": len(found.unique())}
    return figures, grid(to_pil(torch.cat(shown)), columns=8)


@dataclass(frozen=True)
class TokenSet:
    """The tokens of a split, computed once: of every picture and of its mirror image."""

    tokens: Tensor  # int32 (2, N, L): as it is, mirrored
    labels: Tensor  # int64 (N,)


@torch.inference_mode()
def tokenise(tokenizer: Tokenizer, pictures: PictureSet, device: str = "cpu") -> Iterator[float | TokenSet]:
    """Encode a split, shared out over all processes; yields the fraction done, and the `TokenSet` last."""
    length = sum(side * side for side in tokenizer.config.sides)
    tokens = torch.empty((2, len(pictures), length), dtype=torch.int32)
    for rows in torch.arange(len(pictures)).split(64 * world()):
        part = torch.zeros((2, len(rows), length), dtype=torch.int32)
        for ours in rows.split(64)[rank() : rank() + 1]:  # none where too few are left
            images = pictures.images(ours).to(device, memory_format=torch.channels_last)
            for mirrored, batch in enumerate((images, images.flip(-1))):
                part[mirrored, ours - rows[0]] = torch.cat(tokenizer.encode(batch), 1).to("cpu", torch.int32)
        tokens[:, rows] = total(part)
        yield int(rows[-1] + 1) / len(pictures)
    yield TokenSet(tokens, pictures.labels)


def check_self_correction(share: float, order: str) -> float:
    """The largest share of wrong tokens that a training shows, as given; ValueError if it makes no sense."""
    if not 0 <= share <= 1:
        raise ValueError(f"self-correction {share} is out of range: choose 0 to 1.")
    if share and order != SCALES:
        raise ValueError(f"self-correction {share} is for scales: in the order {order} choose 0.")
    return share


class TransformerTask:
    """Cross-entropy of all tokens of all scales at once, under the block-causal mask.

    `most_per_scale` > 0 shows each step only that many random places of every larger map (0 = all): the fine maps hold
    most tokens but the least about the picture, so early training is faster without them. With `start`
    training begins from its weights, see `adapted`. Of `without` see `leave_out`. With `compiled`, torch.compile fuses
    the blocks in the first minute, and all other steps are faster.

    Up to a share `self_correction` of a picture's tokens, another for each picture, is replaced by those that another
    picture has in the same places, and the finer scales learn to make up for it: drawn tokens are decided one by one
    and do not fit each other as those of a real picture do (as flipped bits in Infinity, Han et al. 2024, section 3.3).
    """

    KIND = "transformer"

    def __init__(
        self,
        config: TransformerConfig,
        tokenizer: Tokenizer,
        train: TokenSet,
        val: TokenSet,
        classes: Classes,
        optimisation: Optimisation,
        device: str = "cpu",
        class_dropout: float = 0.1,
        most_per_scale: int = 0,
        start: VAR | None = None,
        compiled: bool = False,
        without: Sequence[str] = (),
        self_correction: float = 0.0,
    ):
        self.self_correction = check_self_correction(self_correction, config.order)
        self.model = (adapted(start, config) if start else initialise(VAR(config))).to(device)
        self.without = tuple(without)
        leave_out(self.model, self.without)
        if compiled:
            for block in self.model.blocks:
                block.compile(dynamic=False)
        self.tokenizer = tokenizer.to(device).requires_grad_(False).eval()
        self.optimisation, self.device, self.class_dropout = optimisation, device, class_dropout
        self.most_per_scale = most_per_scale
        self.train, self.val = train, val
        self.draws = Draws.over(train.labels, classes, optimisation.seed)

    def losses(
        self, model: VAR, tokens: Tensor, labels: Tensor, places: Tensor, wrong: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy in nats and whether the likeliest token is wrong, each (B, n), at `places` (n,) of all L.

        tokens (B, L), labels (B,); `wrong` are tokens (B, L) to be shown instead, and where, bool (B, L).
        """
        quantizer, split = self.tokenizer.quantizer, model.schedule.split
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):  # as sampling does it
            if wrong:
                teacher_input, tokens = quantizer.corrected(*map(split, (tokens, *wrong)))
            else:
                teacher_input = quantizer.teacher_input(split(tokens))
        logits = model(labels, teacher_input, places)
        wanted = tokens[:, places]
        entropy = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view_as(wanted)
        return entropy, logits.detach().argmax(-1) != wanted

    def places(self, chance: np.random.Generator) -> Tensor:
        """The places in the sequence that a step trains on, ascending, int64 (n,)."""
        chosen = []
        for span, length in zip(self.model.schedule.spans, self.model.schedule.lengths, strict=True):
            count = min(length, self.most_per_scale or length)
            chosen.append(span.start + np.sort(chance.permutation(length)[:count]))
        return torch.from_numpy(np.concatenate(chosen))

    def loss(self, step: int, share: slice) -> tuple[Tensor, dict[str, float]]:
        chance, size = self.draws.generator(step), self.optimisation.batch
        rows = self.draws.batch(chance, size)[share]
        mirrored = torch.from_numpy((chance.random(size) < 0.5).astype(np.int64))[share]
        dropped = torch.from_numpy(chance.random(size) < self.class_dropout)[share]
        labels = self.train.labels[rows].masked_fill(dropped, self.model.config.null_label)
        tokens = self.train.tokens[mirrored, rows].long()
        places = self.places(chance).to(self.device)
        wrong = self.wrong(chance, share) if self.self_correction else None
        entropy, _ = self.losses(self.model, tokens.to(self.device), labels.to(self.device), places, wrong)
        return entropy.mean(), {}

    def wrong(self, chance: np.random.Generator, share: slice) -> tuple[Tensor, Tensor]:
        """Tokens of other pictures (b, L) for a share of a step, and where they take the place of its own, bool."""
        size = self.optimisation.batch
        tokens = self.train.tokens[0, self.draws.batch(chance, size)[share]].long()
        rates = self.self_correction * chance.random(size)[share, None]
        where = chance.random((size, tokens.shape[1]))[share] < rates
        return tokens.to(self.device), torch.from_numpy(where).to(self.device)

    def after(self, _step: int) -> dict[str, float]:
        """Nothing besides the optimiser's step."""
        return {}

    @torch.no_grad()
    def report(self, average: VAR) -> tuple[dict, Image.Image]:
        """Loss in nats and token error on up to 512 val pictures, per scale and in all; a sheet of samples."""
        rows = torch.linspace(0, len(self.val.labels) - 1, min(512, len(self.val.labels))).long()
        everywhere = torch.arange(average.schedule.total, device=self.device)
        parts = []
        for part in rows.split(32):
            tokens, labels = self.val.tokens[0, part].long().to(self.device), self.val.labels[part].to(self.device)
            parts.append(self.losses(average, tokens, labels, everywhere))
        entropy, wrong = (torch.cat(figures).float().mean(0).cpu() for figures in zip(*parts, strict=True))
        figures = {"val_loss": entropy.mean().item(), "val_error": wrong.mean().item()}
        for name, values in (("loss_by_scale", entropy), ("error_by_scale", wrong)):
            figures[name] = [round(part.mean().item(), 4) for part in average.schedule.maps(values[None])]
        return figures, self.sheet(average)

    def sheet(self, average: VAR, count: int = 32) -> Image.Image:
        """Pictures of classes spread over all groups, seeds 0 to count - 1."""
        per_group = max(1, count // len(self.draws.groups))
        labels = torch.cat(
            [self.train.labels[rows[torch.linspace(0, len(rows) - 1, per_group).long()]] for rows in self.draws.groups]
        )
        plan = Plan.free(average.schedule, len(labels)).to(torch.device(self.device))
        seeds = tuple(range(len(labels)))
        made = steps(average, self.tokenizer.quantizer, labels.to(self.device), seeds, Sampling(guidance=3.0), plan)
        *_, last = made
        return grid(to_pil(self.tokenizer.decode(last.f_hat)), columns=8)

    def extra_state(self) -> dict:
        return {
            "config": asdict(self.model.config),
            "tokenizer": fingerprint(self.tokenizer),
            "batch": self.optimisation.batch,
            "most_per_scale": self.most_per_scale,
            "without": list(self.without),
            "self_correction": self.self_correction,
        }

    def load_extra_state(self, state: dict) -> None:
        """Only checks that the run has learned the tokens of this tokenizer."""
        same_tokenizer(state, self.tokenizer)


def load_tokenizer(source: Path) -> Tokenizer:
    """The averaged weights of a tokenizer's or decoder's training run, or those of a model file; else ValueError."""
    if source.suffix == SUFFIX:
        return load(str(source)).tokenizer
    state = load_state(source, TokenizerTask.KIND, "decoder")
    tokenizer = Tokenizer(TokenizerConfig(**state["extra"]["config"]))
    load_strict(tokenizer, state["average"])
    return tokenizer.eval()


def load_transformer(run: Path, tokenizer: Tokenizer) -> VAR:
    """The averaged weights of a transformer's training run; ValueError if it learned another tokenizer's tokens."""
    state = load_state(run, TransformerTask.KIND)
    same_tokenizer(state["extra"], tokenizer)
    var = VAR(TransformerConfig(**state["extra"]["config"]))
    load_strict(var, state["average"])
    return var.eval()


def same_tokenizer(extra: dict, tokenizer: Tokenizer) -> None:
    """ValueError unless the extra state of a run belongs to a tokenizer that gives these very tokens.

    One that does not say which it belongs to fits.
    """
    ours = fingerprint(tokenizer)
    if extra.get("tokenizer", ours) != ours:
        raise ValueError(
            "The run has learned the tokens of another tokenizer. Name the tokenizer that it was begun with, "
            "or begin a new run."
        )


def same_in_file(stored: Tokenizer, tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer of a model file, which holds half of the digits, gives the tokens of this one."""
    return fingerprint(stored) == fingerprint(copy.deepcopy(tokenizer).half())


def fingerprint(tokenizer: Tokenizer) -> str:
    """SHA-256, in hex, of the weights that decide which tokens a picture gets: all but the decoder's."""
    digest = hashlib.sha256()
    for name, value in sorted(tokenizer.state_dict().items()):
        if name.startswith(("after_quantizer.", "decoder.")):
            continue
        digest.update(name.encode() + value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def fitted_preview(tokenizer: Tokenizer, pictures: PictureSet, count: int = 512) -> Preview:
    """The linear preview map, fitted to partial and whole reconstructions of `count` pictures."""
    rows = torch.linspace(0, len(pictures) - 1, min(count, len(pictures))).long()
    features, images = [], []
    for part in rows.split(32):
        batch = pictures.images(part)
        for found in list(tokenizer.quantizer.quantize(tokenizer.features(batch)))[-3:]:
            features.append(found.f_hat)
            images.append(tokenizer.decode(found.f_hat))
    preview = Preview(tokenizer.config)
    preview.fit(torch.cat(features), torch.cat(images))
    return preview


def export(
    out: Path,
    name: str,
    tokenizer: Tokenizer,
    var: VAR,
    classes: Classes,
    train: PictureSet,
    looks: Sampling,
) -> None:
    """Write a checkpoint for the app; tokens come in the transformer's order, and `looks` is how it draws best."""
    tokenizer = tokenizer.reordered(var.config.order)
    names = tuple(word[:1].upper() + word[1:] for word in classes.names)
    spec = ModelSpec(name, tokenizer.config, var.config, names, classes.groups, looks=looks)
    out.parent.mkdir(parents=True, exist_ok=True)
    save(out, spec, tokenizer, fitted_preview(tokenizer, train), var)


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each picture, (B,); both (B, 3, S, S) in [-1, 1]."""
    return 10 * torch.log10(4 / (images - targets).square().mean((1, 2, 3)).clamp_min(1e-12))
