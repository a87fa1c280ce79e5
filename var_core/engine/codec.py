"""Turns pictures into tokens and back: the only place where pictures, devices and a tokenizer meet."""

import threading
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..config import ModelSpec
from ..images import from_pil, to_pil, to_uint8
from ..nn.tokenizer import Preview, Tokenizer
from ..schedule import Schedule


class Codec:
    """The tokenizer of a model on a device, and its preview."""

    def __init__(self, spec: ModelSpec, tokenizer: Tokenizer, preview: Preview, device: torch.device):
        self.spec, self.device = spec, device
        self.tokenizer = tokenizer.to(device)
        for name, part in self.tokenizer.named_children():
            if name != "encoder":  # see `features`
                part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.preview_map = preview.to(device)
        self.schedule = Schedule.of(spec.tokenizer)
        self._laying_out = threading.Lock()

    @torch.inference_mode()
    def encode(self, image: Image.Image) -> list[Tensor]:
        """A square picture, resized to S -> its pyramid, K maps (1, L_k)."""
        return self.pyramids(from_pil([image], self.spec.tokenizer.image_side))

    @torch.inference_mode()
    def pyramids(self, images: Tensor) -> list[Tensor]:
        """Pictures (B, 3, S, S) in [-1, 1] -> K maps (B, L_k)."""
        return self.tokenizer.quantizer.tokens(self.features(images))

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) in [-1, 1] -> f (B, C, s_K, s_K), where the model is.

        Of a large model the encoder is but mapped from its file until it is needed here, and then laid out for speed.
        """
        with self._laying_out:  # no work but the first time
            self.tokenizer.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self.tokenizer.features(images.to(self.device))

    def decode(self, f_hat: Tensor) -> list[Image.Image]:
        """f_hat (B, C, s_K, s_K) -> B pictures of side D, that of what is drawn."""
        return [Image.fromarray(picture) for picture in self.pixels(f_hat)]

    @torch.inference_mode()
    def pixels(self, f_hat: Tensor) -> np.ndarray:
        """Decode to uint8 (B, D, D, 3), D the drawn side; one at a time, so that none depends on its neighbours."""
        return np.stack([to_uint8(self.tokenizer.decode(one[None]))[0].numpy() for one in f_hat])

    @torch.inference_mode()
    def decode_small(self, f_hat: Tensor) -> list[Image.Image]:
        """f_hat (B, C, s_K, s_K) -> B pictures of side S, that of what is encoded: in half of the time at most.

        Of a model that draws no larger ones they are those of `decode`.
        """
        return [to_pil(self.tokenizer.decode_small(one[None]))[0] for one in f_hat]

    @torch.inference_mode()
    def summed(self, tokens: Sequence[Tensor]) -> Tensor:
        """f_hat (B, C, s_K, s_K) of a whole pyramid, K maps (B, L_k)."""
        return self.tokenizer.quantizer.features([t.to(self.device) for t in tokens])

    @torch.inference_mode()
    def preview(self, f_hat: Tensor) -> list[Image.Image]:
        """f_hat (B, C, s_K, s_K) -> B small pictures, at a hundredth of `decode`'s cost."""
        return to_pil(self.preview_map(f_hat))
