"""What is made of trained networks."""

import torch
from support import tiny

from var_core.training.export import fitted_preview


@torch.no_grad()
def test_the_fitted_preview_is_close_to_a_small_decode(folder):
    tokenizer = tiny.networks()[0]
    preview = fitted_preview(tokenizer, folder.train)
    images = folder.val.images(torch.arange(4))
    f_hat = tokenizer.quantizer.features(tokenizer.encode(images))
    small = torch.nn.functional.interpolate(tokenizer.decode(f_hat), size=(16, 16), mode="area")
    error = (preview(f_hat) - small).square().mean()
    assert error < 0.5 * (small - small.mean()).square().mean()
