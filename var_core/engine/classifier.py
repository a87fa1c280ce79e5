"""Name the class of a picture: that under which its tokens are likeliest.

A model that predicts tokens of a class is a classifier, too (as in A-VARC, arXiv 2510.12060): by Bayes' rule, all
classes being equally frequent. All of them are tried on the coarsest scales, and the best of them on more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..nn.quantizer import Quantizer
from ..nn.transformer import VAR

FIRST, FURTHER = 14, 66  # tokens to go by for all classes, and for the best of them; of a whole picture 3 and 5 scales
BEST = 24  # classes that are tried further
ROWS = 64  # classes at once
SHARPNESS = 0.25  # of the shares: tokens depend on each other, and a sum of their nats is too sure of itself


@dataclass(frozen=True)
class ClassShare:
    """A class that a picture may be of: its share of those tried, and the nats that its tokens gain over no class."""

    label: int
    share: float
    nats: float


@torch.inference_mode()
def classify(var: VAR, quantizer: Quantizer, tokens: Sequence[Tensor], counted: Tensor) -> list[ClassShare]:
    """Return classes that the pyramid of one picture, K maps (1, L_k), may be of, the likeliest first.

    Only tokens that are `counted`, bool (L,), speak for a class; where none is, all are equally likely.
    """
    shown = quantizer.teacher_input(list(tokens))
    sequence = torch.cat(list(tokens), 1)[0]
    null = var.config.null_label
    labels = torch.arange(var.config.classes, device=sequence.device)
    for wanted, best in ((FIRST, BEST), (FURTHER, len(labels))):
        end = _end(var, counted, wanted)
        scores = _log_likelihood(var, shown, sequence, counted, labels, end)
        order = scores.argsort(descending=True, stable=True)[:best]
        labels, scores = labels[order], scores[order]
    (without,) = _log_likelihood(var, shown, sequence, counted, labels.new_tensor([null]), end).tolist()
    shares = (SHARPNESS * scores).softmax(0).tolist()
    found = zip(labels.tolist(), shares, scores.tolist(), strict=True)
    return [ClassShare(label, share, score - without) for label, share, score in found]


def _end(var: VAR, counted: Tensor, wanted: int) -> int:
    """Return where the scale ends by which so many tokens are counted, or else the last scale."""
    for span in var.schedule.spans:
        if int(counted[: span.stop].sum()) >= wanted:
            return span.stop
    return var.schedule.total


def _log_likelihood(var: VAR, shown: Tensor, sequence: Tensor, counted: Tensor, labels: Tensor, end: int) -> Tensor:
    """Return the sum of the log-probabilities of counted tokens before `end` for each of labels (n,), in nats."""
    positions, found = counted[:end].nonzero()[:, 0].to(sequence.device), []
    given = shown[:, : end - var.schedule.lengths[0]]
    for part in labels.split(ROWS):
        hidden = var.read(var.condition(part), given.expand(len(part), -1, -1))[:, positions]
        logits = var.logits(hidden)
        wanted = sequence[positions].expand(len(part), -1)
        nats = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view(wanted.shape)
        found.append(-nats.double().sum(1))
    return torch.cat(found)


@torch.inference_mode()
def token_losses(var: VAR, quantizer: Quantizer, tokens: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Return the cross-entropy in nats of every token of pyramids, K maps (B, L_k), given all coarser ones: (B, L).

    `labels` int64 (B,).
    """
    given = [maps.to(quantizer.codebook.device) for maps in tokens]
    logits = var(labels.to(quantizer.codebook.device), quantizer.teacher_input(given))
    return F.cross_entropy(logits.transpose(1, 2), torch.cat(given, 1), reduction="none")
