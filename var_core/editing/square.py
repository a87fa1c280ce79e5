"""One square of a photo under work: made ready for the model, drawn into, pasted back."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..engine.inpainting import inpainting
from ..engine.pipeline import Pipeline
from ..engine.plan import Plan
from .canvas import Box, Hole, dilated, filled_view, matched, opacity, paste, resized_to, view
from .edit_settings import EditSettings
from .texture import borrowed


@dataclass(frozen=True, eq=False)
class Work:
    """One square of all variations, made ready for a model that encodes pictures of side S and draws those of D."""

    canvases: tuple[np.ndarray, ...]  # B photos (H, W, 3) as they are before this square
    box: Box
    views: np.ndarray  # uint8 (B, S, S, 3), holes filled
    hole: Hole  # what the model may not see of the views
    known: np.ndarray  # bool (n, n): what of the square is known, at the photo's resolution
    alpha: np.ndarray  # float32 (H, W): how much of the result is pasted
    plan: Plan
    match: bool
    detail: bool

    @property
    def comparable(self) -> bool:
        """Say whether some of the square is drawn and some is known, so that the one can be compared with the other."""
        keep, hole = self.plan.keep[-1][0], self.hole.mask
        return bool(keep.any() and not keep.all() and hole.any() and not hole.all())

    def pasted(self, drawn: np.ndarray) -> tuple[np.ndarray, ...]:
        """The photos with pictures, uint8 (B, D, D, 3), in the square."""
        pairs = zip(self.canvases, drawn, self.views, strict=True)
        return tuple(paste(canvas, self._large(canvas, *pair), self.box, self.alpha) for canvas, *pair in pairs)

    def _large(self, canvas: np.ndarray, picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """A picture as it is pasted, float32 (n, n, 3): fitted, enlarged, with its detail."""
        large = resized_to(self._fitted(picture, seen), self.box.side)
        if not self.detail:
            return large
        return large + borrowed(self.box.cut(canvas), self.known, picture.astype(np.float32), len(seen))

    def composites(self, drawn: np.ndarray) -> np.ndarray:
        """The views with pictures, uint8 (B, D, D, 3), in their holes: uint8 (B, S, S, 3)."""
        pairs = zip(drawn, self.views, strict=True)
        fitted = np.stack([resized_to(self._fitted(picture, seen), len(seen)) for picture, seen in pairs])
        mixed = np.where(self.hole.mask[..., None], fitted, self.views)
        return mixed.round().clip(0, 255).astype(np.uint8)

    def _fitted(self, picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
        if not self.match:
            return picture.astype(np.float32)
        return matched(picture.astype(np.float32), seen.astype(np.float32), self.hole)


def whole_views(canvases: tuple[np.ndarray, ...], box: Box, side: int) -> np.ndarray:
    """Return squares of photos as they are, also where they are painted, uint8 (B, S, S, 3)."""
    nothing = np.zeros(canvases[0].shape[:2], bool)
    seen = [view(canvas, nothing, box, side) for canvas in canvases]
    return np.stack([filled_view(pixels, hole.mask, "spread") for pixels, hole in seen])  # what lies beyond the photo


def prepare(
    pipe: Pipeline,
    canvases: tuple[np.ndarray, ...],
    hole_mask: np.ndarray,
    box: Box,
    settings: EditSettings,
    softness: np.ndarray | None = None,
) -> Work:
    """Make a square of photos ready; `hole_mask` (H, W) is what the model may not see, and paints within the square.

    `softness`, uint8 (H, W), says how much of that is pasted: what is below 255 is no edge that would be feathered.
    """
    side, count = pipe.spec.tokenizer.image_side, len(canvases)
    different = canvases[:1] if all(canvas is canvases[0] for canvas in canvases) else canvases
    seen = [view(canvas, hole_mask, box, side) for canvas in different]
    hole = seen[0][1]  # the mask is the same for all
    views = np.stack([filled_view(pixels, hole.mask, settings.fill) for pixels, _ in seen])
    plan = inpainting(
        pipe,
        torch.from_numpy(views),
        torch.from_numpy(hole.coverage),
        settings.min_coverage,
        settings.first_free_scale,
        settings.follow,
        settings.shown,
        torch.from_numpy(whole_views(different, box, side)) if settings.likeness else None,
        settings.likeness,
    )
    if len(different) < count:
        views, plan = np.repeat(views, count, 0), Plan.joined([plan] * count)
    here = np.zeros_like(hole_mask)
    rows, columns = box.inside(hole_mask.shape)
    here[rows, columns] = hole_mask[rows, columns]
    if softness is None:
        alpha = opacity(here, settings.feather)
    else:
        alpha = np.maximum(opacity(here & (softness == 255), settings.feather), here * (softness / np.float32(255)))
    return Work(canvases, box, views, hole, box.cut(~hole_mask), alpha, plan, settings.match, settings.detail)


def second_pass(pipe: Pipeline, work: Work, drawn: np.ndarray, settings: EditSettings) -> Work:
    """Return a square with what was drawn in it, its two finest scales free along the seam."""
    hole = work.hole.mask
    seam = (dilated(hole, settings.harmonise) & ~dilated(hole, -settings.harmonise)).astype(np.float32)
    views, first = work.composites(drawn), len(pipe.schedule) - 2
    plan = inpainting(
        pipe,
        torch.from_numpy(views),
        torch.from_numpy(seam),
        settings.min_coverage,
        max(0, first),
        settings.follow,
        settings.shown,
    )
    return replace(work, views=views, plan=plan)
