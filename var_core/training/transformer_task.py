"""Training of a transformer on the tokens of a tokenizer."""

from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..config import SCALES, Sampling, TransformerConfig
from ..engine.request import Request
from ..engine.sampling import sample_tokens, steps
from ..findings.run_log import LogRow
from ..images import tiled, to_pil
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR, initialise, leave_out
from ..schema import Fields
from .data import BatchSampler
from .tokenizer_task import TokenData, same_tokenizer, tokenizer_hash
from .trainer import Optimisation
from .transfer import adapted


@dataclass(frozen=True)
class TransformerSettings:
    """Settings of a transformer's training.

    `most_per_scale` > 0 shows each step only that many random tokens of every larger map (0 = all): the fine maps hold
    most tokens but the least about the picture, so early training is faster without them.

    Up to a fraction `self_correction` of a picture's tokens, another for each picture, is replaced by those that
    another picture has at the same positions, and the finer scales learn to make up for it: drawn tokens are decided
    one by one and do not fit each other as those of a real picture do (as flipped bits in Infinity, Han et al. 2024,
    section 3.3). With `own_mistakes` they are replaced by those that the network itself draws there, shown the true
    ones: its own mistakes (as in SAR, arXiv 2512.06421); a step then asks the network once more.

    A fraction `class_dropout` of the pictures is shown without its class: guidance leads away from that.

    `without` names parts of the network to do without, see `leave_out`. With `compiled`, torch.compile fuses the blocks
    in the first minute, and all other steps are faster.
    """

    class_dropout: float = 0.1
    most_per_scale: int = 0
    self_correction: float = 0.0
    without: tuple[str, ...] = ()
    compiled: bool = False
    own_mistakes: bool = False

    def __post_init__(self) -> None:
        fractions = {"class dropout": self.class_dropout, "self-correction": self.self_correction}
        for name, fraction in fractions.items():
            if not 0 <= fraction <= 1:
                raise ValueError(f"{name} {fraction} is out of range: choose 0 to 1.")
        if self.own_mistakes and not self.self_correction:
            raise ValueError("own mistakes replace those of self-correction: add self-correction above 0.")

    def check_order(self, order: str) -> None:
        """Raise ValueError if tokens in this order cannot be learned so."""
        if self.self_correction and order != SCALES:
            raise ValueError(f"self-correction {self.self_correction} is for scales: in the order {order} choose 0.")


def compile_blocks(model: VAR) -> None:
    """Let torch.compile fuse the blocks of a network, for each size of batch anew."""
    for block in model.blocks:
        block.compile(dynamic=False)


class TransformerTask:
    """Cross-entropy of all tokens of all scales at once, under the block-causal mask.

    With `start` training begins from its weights, see `adapted`.
    """

    KIND = "transformer"

    def __init__(
        self,
        config: TransformerConfig,
        tokenizer: Tokenizer,
        data: TokenData,
        settings: TransformerSettings,
        optimisation: Optimisation,
        device: str = "cpu",
        start: VAR | None = None,
    ):
        settings.check_order(config.order)
        self.model = (adapted(start, config) if start else initialise(VAR(config))).to(device)
        leave_out(self.model, settings.without)
        if settings.compiled:
            compile_blocks(self.model)
        self.tokenizer = tokenizer.to(device).requires_grad_(False).eval()
        self.settings, self.optimisation, self.device = settings, optimisation, device
        self.train, self.val = data.train, data.val
        self.sampler = BatchSampler.over(data.train.labels, data.classes, optimisation.seed, optimisation.mirror)

    def losses(
        self, model: VAR, tokens: Tensor, labels: Tensor, positions: Tensor, wrong: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return cross-entropy in nats and whether the likeliest token is wrong, each (B, n), at `positions` (n,).

        tokens (B, L), labels (B,); `wrong` holds tokens (B, L) to be shown instead, and where, bool (B, L).
        """
        quantizer, split = self.tokenizer.quantizer, model.schedule.split
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):  # as sampling does it
            if wrong:
                teacher_input, tokens = quantizer.corrected(*map(split, (tokens, *wrong)))
            else:
                teacher_input = quantizer.teacher_input(split(tokens))
        logits = model(labels, teacher_input, positions)
        wanted = tokens[:, positions]
        entropy = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view_as(wanted)
        return entropy, logits.detach().argmax(-1) != wanted

    def positions(self, rng: np.random.Generator) -> Tensor:
        """Draw the positions in the sequence that a step trains on, ascending, int64 (n,)."""
        chosen: list[np.ndarray] = []
        for span, length in zip(self.model.schedule.spans, self.model.schedule.lengths, strict=True):
            count = min(length, self.settings.most_per_scale or length)
            chosen.append(span.start + np.sort(rng.permutation(length)[:count]))
        return torch.from_numpy(np.concatenate(chosen))

    def loss(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a part of a step's batch; nothing else is measured."""
        rng = self.sampler.rng(step)
        tokens, labels = self.pictures(rng, micro_batch)
        positions = self.positions(rng).to(self.device)
        tokens, labels = tokens.to(self.device), labels.to(self.device)
        wrong = self.wrong(rng, micro_batch) if self.settings.self_correction else None
        if wrong and self.settings.own_mistakes:
            uniform = rng.random((self.optimisation.batch, len(positions)), dtype=np.float32)[micro_batch]
            own = self.own(tokens, labels, positions, torch.from_numpy(uniform))
            wrong = wrong[0].index_copy(1, positions, own), wrong[1]
        entropy, _ = self.losses(self.model, tokens, labels, positions, wrong)
        return entropy.mean(), {}

    def pictures(self, rng: np.random.Generator, micro_batch: slice) -> tuple[Tensor, Tensor]:
        """Draw pictures for a part of a step: tokens (b, L), some mirrored, and labels (b,), some of no class."""
        size = self.optimisation.batch
        rows = self.sampler.batch(rng, size)[micro_batch]
        mirrored = self.sampler.mirrored(rng, size)[micro_batch].long()
        dropped = torch.from_numpy(rng.random(size) < self.settings.class_dropout)[micro_batch]
        labels = self.train.labels[rows].masked_fill(dropped, self.model.config.null_label)
        return self.train.tokens[mirrored, rows].long(), labels

    def wrong(self, rng: np.random.Generator, micro_batch: slice) -> tuple[Tensor, Tensor]:
        """Draw tokens of other pictures (b, L) for a part of a step, and where they replace its own, bool (b, L)."""
        size = self.optimisation.batch
        tokens = self.train.tokens[0, self.sampler.batch(rng, size)[micro_batch]].long()
        rates = self.settings.self_correction * rng.random(size)[micro_batch, None]
        where = rng.random((size, tokens.shape[1]))[micro_batch] < rates
        return tokens.to(self.device), torch.from_numpy(where).to(self.device)

    @torch.no_grad()
    def own(self, tokens: Tensor, labels: Tensor, positions: Tensor, uniform: Tensor) -> Tensor:
        """Draw tokens (b, n) at `positions` (n,), as the network does that is shown the true ones (b, L).

        `uniform` (b, n) are numbers in [0, 1) to draw with.
        """
        split = self.model.schedule.split
        with torch.autocast(tokens.device.type, enabled=False):
            teacher_input = self.tokenizer.quantizer.teacher_input(split(tokens))
        probability = self.model(labels, teacher_input, positions).float().softmax(-1)
        return sample_tokens(probability, uniform.to(self.device))

    def after(self, _step: int) -> dict[str, float]:
        """Do nothing besides the optimiser's step."""
        return {}

    @torch.no_grad()
    def report(self, ema: VAR) -> tuple[LogRow, Image.Image]:
        """Measure loss in nats and token error on up to 512 val pictures, by scale and in all; draw a sheet."""
        rows = torch.linspace(0, len(self.val.labels) - 1, min(512, len(self.val.labels))).long()
        everywhere = torch.arange(ema.schedule.total, device=self.device)
        parts = []
        for part in rows.split(32):
            tokens, labels = self.val.tokens[0, part].long().to(self.device), self.val.labels[part].to(self.device)
            parts.append(self.losses(ema, tokens, labels, everywhere))
        entropy, wrong = (torch.cat(figures).float().mean(0).cpu() for figures in zip(*parts, strict=True))
        figures: dict[str, float | list[float]] = {"val_loss": entropy.mean().item(), "val_error": wrong.mean().item()}
        for name, values in (("loss_by_scale", entropy), ("error_by_scale", wrong)):
            figures[name] = [round(part.mean().item(), 4) for part in ema.schedule.maps(values[None])]
        return figures, self.sheet(ema)

    def sheet(self, ema: VAR, count: int = 32, guidance: float = 3.0) -> Image.Image:
        """Draw pictures of classes spread over all groups, seeds 0 to count - 1."""
        per_group = max(1, count // len(self.sampler.groups))
        spread = [rows[torch.linspace(0, len(rows) - 1, per_group).long()] for rows in self.sampler.groups]
        labels = self.train.labels[torch.cat(spread)]
        request = Request(tuple(labels.tolist()), tuple(range(len(labels))), Sampling(guidance=guidance))
        *_, last = steps(ema, self.tokenizer.quantizer, request)
        return tiled(to_pil(self.tokenizer.decode(last.f_hat)), columns=8)

    def extra_state(self) -> Fields:
        """Return sizes, which tokenizer's tokens are learned, and the settings that a resumed run keeps."""
        return {
            "config": asdict(self.model.config),
            "tokenizer": tokenizer_hash(self.tokenizer),
            "batch": self.optimisation.batch,
            "most_per_scale": self.settings.most_per_scale,
            "without": list(self.settings.without),
            "class_dropout": self.settings.class_dropout,
            "self_correction": self.settings.self_correction,
            "own_mistakes": self.settings.own_mistakes,
        }

    def load_extra_state(self, state: Fields) -> None:
        """Raise ValueError unless the run has learned the tokens of this tokenizer."""
        same_tokenizer(state, self.tokenizer)
