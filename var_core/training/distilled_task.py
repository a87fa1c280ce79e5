"""Guidance distillation: a transformer learns to say at once what guidance makes of two answers (Meng et al. 2023).

arXiv 2210.03142, section 3, here for tokens: at every position its distribution approaches the guided one of a frozen
copy, which is asked with the class and without.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..config import Sampling
from ..engine.sampling import guide
from ..findings.run_log import LogRow
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR
from ..schema import Fields
from .frozen_copy_task import FrozenCopyTask
from .tokenizer_task import TokenData
from .trainer import Optimisation
from .transformer_task import TransformerSettings

KEPT = ("guidance", "ramp", "class_dropout")  # settings that a resumed run keeps


@dataclass(frozen=True)
class DistilledSettings:
    """Settings of a distillation.

    `guidance` and `ramp` are those that it learns, see `Sampling`. A fraction `class_dropout` of the pictures is shown
    without a class: there the frozen copy says what it said before. With `compiled`, torch.compile fuses the blocks.
    """

    guidance: float = 3.0
    ramp: float = 0.5
    class_dropout: float = 0.1
    compiled: bool = False

    def __post_init__(self) -> None:
        Sampling(guidance=self.guidance, ramp=self.ramp)  # says what is out of range
        if not self.guidance:
            raise ValueError("guidance 0 leaves nothing to learn: choose more.")


class DistilledTask(FrozenCopyTask):
    """The Kullback-Leibler divergence of the network's distributions from the guided ones, on tokens of pictures."""

    KIND = "distilled"

    def __init__(
        self,
        start: VAR,
        tokenizer: Tokenizer,
        data: TokenData,
        settings: DistilledSettings,
        optimisation: Optimisation,
        device: str = "cpu",
    ):
        shown = TransformerSettings(class_dropout=settings.class_dropout, compiled=settings.compiled)
        super().__init__(start, tokenizer, data, shown, optimisation, device)
        self.distillation, schedule = settings, start.schedule
        sampling = Sampling(guidance=settings.guidance, ramp=settings.ramp)
        each = [torch.full((length,), sampling.strength(k, schedule)) for k, length in enumerate(schedule.lengths)]
        self.strengths = torch.cat(each).to(device)  # (L,)
        # A scale counts by half as any other, by half for its tokens: coarse ones decide what all others are about.
        even = torch.cat([torch.full((length,), 1 / length / len(schedule)) for length in schedule.lengths])
        self.weights = ((even + 1 / schedule.total) / 2).to(device)  # (L,), of sum 1

    def loss(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a part of a step's batch, and `apart`, the mean divergence in nats a token."""
        tokens, labels = self.pictures(self.sampler.rng(step), micro_batch)
        apart = self.divergences(self.model, tokens.to(self.device), labels.to(self.device))
        return (apart * self.weights).sum(1).mean(), {"apart": apart.detach().mean().item()}

    def divergences(self, model: VAR, tokens: Tensor, labels: Tensor) -> Tensor:
        """Return how far a network's distributions are from the guided ones, in nats, (B, L).

        tokens (B, L), labels (B,).
        """
        quantizer, nothing = self.tokenizer.quantizer, torch.full_like(labels, model.config.null_label)
        with torch.no_grad():
            with torch.autocast(tokens.device.type, enabled=False):  # as sampling does it
                teacher_input = quantizer.teacher_input(model.schedule.split(tokens))
            condition = self.reference.condition(torch.cat((labels, nothing)))
            conditional, unconditional = self.reference.read(condition, teacher_input.repeat(2, 1, 1)).chunk(2)
            guided = guide(conditional, unconditional, self.strengths[:, None])
            wanted = self.reference.logits(guided).log_softmax(-1)
        found = model(labels, teacher_input).log_softmax(-1)
        return F.kl_div(found, wanted, reduction="none", log_target=True).sum(-1)

    @torch.no_grad()
    def report(self, ema: VAR) -> tuple[LogRow, Image.Image]:
        """Measure the mean divergence on val pictures, in nats a token, by scale and in all; draw without guidance."""
        apart = torch.cat([self.divergences(ema, *part) for part in self.measured()]).mean(0).cpu()
        by_scale = [round(part.mean().item(), 4) for part in ema.schedule.maps(apart[None])]
        return {"val_apart": apart.mean().item(), "apart_by_scale": by_scale}, self.sheet(ema, guidance=0.0)

    def extra_state(self) -> Fields:
        """Return what every transformer's task keeps, and the settings of the distillation."""
        return {**super().extra_state(), **{name: asdict(self.distillation)[name] for name in KEPT}}
