"""A training run measured beside others, as a row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """A training run, and what came of it."""

    name: str
    order: str
    parameters: int  # of the transformer
    tokens: int  # of a picture
    steps: int  # to draw one
    pictures: int  # seen in training
    operations: float  # floating-point operations of the training
    loss: float  # nats a picture of val, all its tokens together
    psnr: float  # dB, of val pictures encoded and decoded
    reconstructions: float  # Fréchet distance to train of those, over that of val
    guidance: float  # the best of those tried
    distance: float  # the same of generated pictures
    hits: float  # share of them that a probe takes for their class, over val's
    milliseconds: float  # of one picture
