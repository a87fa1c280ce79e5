"""Condition contrastive alignment: a transformer learns to draw without guidance what it draws with (Chen et al. 2024).

arXiv 2410.09347, section 3. A picture's tokens shall become likelier under its own class than they are to a frozen
copy of the transformer, and less likely under another picture's.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..findings.run_log import LogRow
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR
from ..schema import Fields
from .frozen_copy_task import FrozenCopyTask
from .tokenizer_task import TokenData
from .trainer import Optimisation
from .transformer_task import TransformerSettings

KEPT = ("sharpness", "contrast", "class_dropout")  # settings that a resumed run keeps


@dataclass(frozen=True)
class AlignedSettings:
    """Settings of an alignment.

    `sharpness` (the paper's beta) says how far from the frozen copy it may go: less is further. `contrast` (its lambda)
    is the weight of other classes against the own one. A fraction `class_dropout` of the pictures is shown without a
    class, and has no other: guidance still works afterwards. With `compiled`, torch.compile fuses the blocks.
    """

    sharpness: float = 0.02
    contrast: float = 50.0
    class_dropout: float = 0.1
    compiled: bool = False

    def __post_init__(self) -> None:
        if not (self.sharpness > 0 and self.contrast > 0):
            raise ValueError(f"sharpness {self.sharpness}, contrast {self.contrast}: choose both above 0.")


class AlignedTask(FrozenCopyTask):
    """The contrastive loss of pictures under their own classes and under those of their neighbours in the batch."""

    KIND = "aligned"

    def __init__(
        self,
        start: VAR,
        tokenizer: Tokenizer,
        data: TokenData,
        settings: AlignedSettings,
        optimisation: Optimisation,
        device: str = "cpu",
    ):
        shown = TransformerSettings(class_dropout=settings.class_dropout, compiled=settings.compiled)
        super().__init__(start, tokenizer, data, shown, optimisation, device)
        self.alignment = settings

    def loss(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a part of a step's batch, and how much likelier tokens became than to the frozen copy.

        `own` and `other` are in nats a token, under the own class and under another.
        """
        tokens, labels = self.pictures(self.sampler.rng(step), micro_batch)
        others, nothing = labels.roll(1), self.model.config.null_label
        wrong = (labels != nothing) & (others != labels) & (others != nothing)
        given = tokens.repeat(2, 1), torch.cat((labels, others))  # always of one size, which compiled blocks want
        gained = self.gained(self.model, *(part.to(self.device) for part in given))  # (2b,)
        own, other = gained.chunk(2)
        other = other[wrong.to(self.device)]
        likelier = -F.logsigmoid(self.alignment.sharpness * own) / self.alignment.contrast
        unlikelier = -F.logsigmoid(-self.alignment.sharpness * other)
        total = self.model.schedule.total
        found = {"own": own, "other": other}
        measured = {name: (part.mean().item() / total if len(part) else 0.0) for name, part in found.items()}
        return (likelier.sum() + unlikelier.sum()) / len(labels), measured

    def gained(self, model: VAR, tokens: Tensor, labels: Tensor) -> Tensor:
        """Return how many nats likelier pictures' tokens (B, L) are under labels (B,) than to the frozen copy, (B,)."""
        everywhere = torch.arange(model.schedule.total, device=tokens.device)
        with torch.no_grad():
            before, _ = self.losses(self.reference, tokens, labels, everywhere)
        now, _ = self.losses(model, tokens, labels, everywhere)
        return (before.float() - now.float()).sum(1)

    @torch.no_grad()
    def report(self, ema: VAR) -> tuple[LogRow, Image.Image]:
        """Measure on val pictures how much likelier they became, in nats a token; draw a sheet without guidance."""
        tokens, labels = (torch.cat(parts) for parts in zip(*self.measured(), strict=True))
        figures = {
            f"val_{name}": self.mean_gain(ema, tokens, under)
            for name, under in (("own", labels), ("other", labels.roll(1)))
        }
        return figures, self.sheet(ema, guidance=0.0)

    def mean_gain(self, model: VAR, tokens: Tensor, labels: Tensor) -> float:
        """Return the mean over pictures of `gained`, in nats a token."""
        parts = zip(tokens.split(32), labels.split(32), strict=True)
        return torch.cat([self.gained(model, *part) for part in parts]).mean().item() / model.schedule.total

    def extra_state(self) -> Fields:
        """Return what `TransformerTask` keeps, and the settings of the alignment."""
        return {**super().extra_state(), **{name: asdict(self.alignment)[name] for name in KEPT}}
