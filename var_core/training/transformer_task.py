"""Training of a transformer on the tokens of a tokenizer."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..config import SCALES, TransformerConfig
from ..engine.request import Request
from ..engine.sampling import Sampling, steps
from ..images import grid, to_pil
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR, initialise, leave_out
from .data import Classes, Draws
from .tokenizer_task import TokenSet, same_tokenizer, tokenizer_hash
from .trainer import Optimisation
from .transfer import adapted


def check_shares(class_dropout: float, self_correction: float, order: str) -> None:
    """ValueError if pictures cannot lose their class so often, or so many tokens be wrong (see `TransformerTask`)."""
    for name, share in (("class dropout", class_dropout), ("self-correction", self_correction)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} {share} is out of range: choose 0 to 1.")
    if self_correction and order != SCALES:
        raise ValueError(f"self-correction {self_correction} is for scales: in the order {order} choose 0.")


class TransformerTask:
    """Cross-entropy of all tokens of all scales at once, under the block-causal mask.

    `most_per_scale` > 0 shows each step only that many random places of every larger map (0 = all): the fine maps hold
    most tokens but the least about the picture, so early training is faster without them. With `start`
    training begins from its weights, see `adapted`. Of `without` see `leave_out`. With `compiled`, torch.compile fuses
    the blocks in the first minute, and all other steps are faster.

    Up to a share `self_correction` of a picture's tokens, another for each picture, is replaced by those that another
    picture has in the same places, and the finer scales learn to make up for it: drawn tokens are decided one by one
    and do not fit each other as those of a real picture do (as flipped bits in Infinity, Han et al. 2024, section 3.3).
    A share `class_dropout` of the pictures is shown without its class: guidance leads away from that.
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
        check_shares(class_dropout, self_correction, config.order)
        self.model = (adapted(start, config) if start else initialise(VAR(config))).to(device)
        self.without = tuple(without)
        leave_out(self.model, self.without)
        if compiled:
            for block in self.model.blocks:
                block.compile(dynamic=False)
        self.tokenizer = tokenizer.to(device).requires_grad_(False).eval()
        self.optimisation, self.device, self.class_dropout = optimisation, device, class_dropout
        self.most_per_scale, self.self_correction = most_per_scale, self_correction
        self.train, self.val = train, val
        self.draws = Draws.over(train.labels, classes, optimisation.seed, optimisation.mirror)

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
        mirrored = self.draws.mirrored(chance, size)[share].long()
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
        request = Request(tuple(labels.tolist()), tuple(range(len(labels))), Sampling(guidance=3.0))
        *_, last = steps(average, self.tokenizer.quantizer, request)
        return grid(to_pil(self.tokenizer.decode(last.f_hat)), columns=8)

    def extra_state(self) -> dict:
        return {
            "config": asdict(self.model.config),
            "tokenizer": tokenizer_hash(self.tokenizer),
            "batch": self.optimisation.batch,
            "most_per_scale": self.most_per_scale,
            "without": list(self.without),
            "class_dropout": self.class_dropout,
            "self_correction": self.self_correction,
        }

    def load_extra_state(self, state: dict) -> None:
        """Only checks that the run has learned the tokens of this tokenizer."""
        same_tokenizer(state, self.tokenizer)
