"""Training of a transformer beside a frozen copy of what it was when that began."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..nn.tokenizer import Tokenizer
from ..nn.transformer import VAR
from .tokenizer_task import TokenData
from .trainer import Optimisation
from .transformer_task import TransformerSettings, TransformerTask, compile_blocks

MEASURED = 192  # pictures, at most, of a report


class FrozenCopyTask(TransformerTask):
    """A task whose loss compares the network with `reference`, the one that it begins with."""

    def __init__(
        self,
        start: VAR,
        tokenizer: Tokenizer,
        data: TokenData,
        shown: TransformerSettings,
        optimisation: Optimisation,
        device: str = "cpu",
    ):
        super().__init__(start.config, tokenizer, data, shown, optimisation, device, start)
        self.reference = start.to(device).requires_grad_(False).eval()
        if shown.compiled:
            compile_blocks(self.reference)

    def measured(self) -> Sequence[tuple[Tensor, Tensor]]:
        """Return the val pictures of a report in parts: tokens (b, L) and labels (b,), where the network is."""
        rows = torch.linspace(0, len(self.val.labels) - 1, min(MEASURED, len(self.val.labels))).long()
        tokens, labels = self.val.tokens[0, rows].long().to(self.device), self.val.labels[rows].to(self.device)
        return list(zip(tokens.split(32), labels.split(32), strict=True))
