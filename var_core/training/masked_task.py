"""Training of the masked path: predict what is missing from maps, and from pictures, of which a part is known."""

from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..config import Sampling
from ..engine.plan import Plan
from ..engine.request import Request
from ..engine.sampling import steps
from ..findings.run_log import LogRow
from ..images import tiled, to_pil
from ..nn.masked import MaskedVAR, masked_from
from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR
from ..schema import Fields
from .crops import CropTokens
from .data import BatchSampler
from .holes import known_tokens, random_hole
from .tokenizer_task import TokenData, same_tokenizer, tokenizer_hash
from .trainer import Optimisation

NOTHING_KNOWN = 0.2  # probability that nothing of a picture is known
KEPT = ("class_dropout", "cropped", "self_correction")  # settings that a resumed run keeps
MEASURED = 96  # pictures, at most, of a report


@dataclass(frozen=True)
class MaskedSettings:
    """Settings of the training of a masked path.

    A fraction `cropped` of each batch are random squares of pictures, without a class; the others are whole pictures,
    of which a fraction `class_dropout` is shown without its class. `self_correction` is as in `TransformerSettings`, of
    tokens that are not known. With `compiled`, torch.compile fuses the blocks.
    """

    class_dropout: float = 0.1
    cropped: float = 0.5
    self_correction: float = 0.3
    compiled: bool = False

    def __post_init__(self) -> None:
        for name in KEPT:
            if not 0 <= (fraction := getattr(self, name)) <= 1:
                raise ValueError(f"{name} {fraction} is out of range: choose 0 to 1.")


class MaskedTask:
    """Cross-entropy of tokens that are not known, given those that are and the surroundings of a hole; from `start`."""

    KIND = "masked"

    def __init__(
        self,
        start: VAR,
        tokenizer: Tokenizer,
        data: TokenData,
        crops: CropTokens,
        settings: MaskedSettings,
        optimisation: Optimisation,
        device: str = "cpu",
    ):
        self.model: MaskedVAR = masked_from(start).to(device)
        if settings.compiled:
            for block in self.model.blocks:
                block.compile(dynamic=False)
        self.tokenizer = tokenizer.to(device).requires_grad_(False).eval()
        self.settings, self.optimisation, self.device = settings, optimisation, device
        self.train, self.val, self.crops = data.train, data.val, crops
        self.sampler = BatchSampler.over(data.train.labels, data.classes, optimisation.seed, optimisation.mirror)

    def losses(
        self,
        model: MaskedVAR,
        tokens: Tensor,
        labels: Tensor,
        holes: Tensor,
        known: Tensor,
        wrong: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return the cross-entropy in nats of each token that is not known, (n,).

        tokens (B, L), labels (B,), holes bool (B, s_K, s_K), known bool (B, L); `wrong` as in `TransformerTask.losses`.
        """
        quantizer, split = self.tokenizer.quantizer, model.schedule.split
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            features = quantizer.features(split(tokens))
            if wrong:
                teacher_input, tokens = quantizer.corrected(*map(split, (tokens, wrong[0], wrong[1] & ~known)))
            else:
                teacher_input = quantizer.teacher_input(split(tokens))
            surroundings, codes = model.surroundings(features, ~holes), quantizer.codes(tokens)
        hidden = model.read_masked(model.condition(labels), surroundings, teacher_input, codes, known)[~known]
        return F.cross_entropy(model.head(hidden).float(), tokens[~known], reduction="none")

    def loss(self, step: int, micro_batch: slice) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a part of a step's batch; nothing else is measured."""
        rng, size, settings = self.sampler.rng(step), self.optimisation.batch, self.settings
        rows, mirrored = (
            self.sampler.batch(rng, size)[micro_batch],
            self.sampler.mirrored(rng, size)[micro_batch].long(),
        )
        dropped = torch.from_numpy(rng.random(size) < settings.class_dropout)[micro_batch]
        cropped = torch.from_numpy(rng.random(size) < settings.cropped)[micro_batch]
        crops = self.crops.train[torch.from_numpy(rng.integers(len(self.crops.train), size=size))[micro_batch]]
        labels = self.train.labels[rows].masked_fill(dropped | cropped, self.model.config.null_label)
        tokens = torch.where(cropped[:, None], crops.long(), self.train.tokens[mirrored, rows].long())
        holes, known = (part[micro_batch] for part in self.masks(size, rng))
        others = self.train.tokens[0, self.sampler.batch(rng, size)[micro_batch]].long()
        rates = settings.self_correction * rng.random(size)[micro_batch, None]
        where = torch.from_numpy(rng.random((size, tokens.shape[1]))[micro_batch] < rates)
        parts = (part.to(self.device) for part in (tokens, labels, holes, known, others, where))
        tokens, labels, holes, known, others, where = parts
        found = self.losses(self.model, tokens, labels, holes, known, (others, where))
        return found.sum() / max(1, len(found)), {}  # of a batch of which all is known, 0

    def masks(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw holes bool (B, s_K, s_K) and which tokens are known, bool (B, L), for a batch."""
        schedule, holes, known = self.model.schedule, [], []
        side = schedule.sides[-1]
        for _ in range(size):
            hole = None if rng.random() < NOTHING_KNOWN else random_hole(side, rng)
            known.append(known_tokens(hole, schedule, rng))
            holes.append(torch.ones(side, side, dtype=torch.bool) if hole is None else torch.from_numpy(hole))
        return torch.stack(holes), torch.stack(known)

    def after(self, _step: int) -> dict[str, float]:
        """Do nothing besides the optimiser's step."""
        return {}

    @torch.no_grad()
    def report(self, ema: MaskedVAR) -> tuple[LogRow, Image.Image]:
        """Measure nats a token of val pictures and of squares of such, with nothing, a half and single tokens known.

        The sheet shows squares in the first row, and below each what the masked path draws into its right half.
        """
        crops = self.crops.val[torch.linspace(0, len(self.crops.val) - 1, min(MEASURED, len(self.crops.val))).long()]
        rows = torch.linspace(0, len(self.val.labels) - 1, min(MEASURED, len(self.val.labels))).long()
        null = torch.full((len(crops),), ema.config.null_label)
        pictures = {"crops": (crops.long(), null), "whole": (self.val.tokens[0, rows].long(), self.val.labels[rows])}
        figures = {
            f"{name}_{kind}": self._mean_loss(ema, *given, *masks)
            for name, given in pictures.items()
            for kind, masks in self._measured_masks().items()
        }
        return figures | {"val_loss": figures["crops_half"]}, self.sheet(ema)

    def _measured_masks(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The hole and the known tokens of each kind that is measured, bool (s_K, s_K) and (L,)."""
        schedule = self.model.schedule
        nothing, everywhere = torch.zeros(schedule.total, dtype=torch.bool), torch.ones(schedule.sides[-1:] * 2)
        some = torch.from_numpy(np.random.Generator(np.random.Philox(key=[7, 7])).random(schedule.total) < 0.5)
        return {
            "nothing": (everywhere.bool(), nothing),
            "half": (~self._half()[schedule.spans[-1]].view(everywhere.shape), self._half()),
            "scattered": (everywhere.bool(), some),
        }

    def _half(self) -> Tensor:
        """Return the tokens of the left half, bool (L,): those whose cells lie to the left of the middle."""
        return torch.cat(
            [(torch.arange(side) < side // 2).expand(side, side).flatten() for side in self.model.schedule.sides]
        )

    def _mean_loss(self, ema: MaskedVAR, tokens: Tensor, labels: Tensor, hole: Tensor, known: Tensor) -> float:
        """Nats a token that is not known, of pictures that have the same hole."""
        found = []
        for part in torch.arange(len(tokens)).split(32):
            holes, here = (mask.expand(len(part), *mask.shape).to(self.device) for mask in (hole, known))
            found.append(self.losses(ema, tokens[part].to(self.device), labels[part].to(self.device), holes, here))
        return round(torch.cat(found).mean().item(), 4)

    def sheet(self, ema: MaskedVAR, count: int = 8) -> Image.Image:
        """Draw squares of val pictures, and what is drawn into their right halves with seeds 0 to count - 1."""
        rows = torch.linspace(0, len(self.crops.val) - 1, count).long()
        tokens = ema.schedule.split(self.crops.val[rows].long())
        keep = ema.schedule.split(self._half().expand(count, -1))
        plan = Plan(tokens, keep, shown=True)
        request = Request((ema.config.null_label,) * count, tuple(range(count)), Sampling(guidance=0.0), plan)
        *_, last = steps(ema, self.tokenizer.quantizer, request)
        whole = self.tokenizer.quantizer.features([each.to(self.device) for each in tokens])
        return tiled(to_pil(self.tokenizer.decode(torch.cat((whole, last.f_hat)))), columns=count)

    def extra_state(self) -> Fields:
        """Return sizes, which tokenizer's tokens are learned, and the settings that a resumed run keeps."""
        return {
            "config": asdict(self.model.config),
            "tokenizer": tokenizer_hash(self.tokenizer),
            "batch": self.optimisation.batch,
            **{name: getattr(self.settings, name) for name in KEPT},
        }

    def load_extra_state(self, state: Fields) -> None:
        """Raise ValueError unless the run has learned the tokens of this tokenizer."""
        same_tokenizer(state, self.tokenizer)
