"""A training run measured beside others, as a row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunSummary:
    """A training run, and what came of it: a row of `compare`'s file."""

    name: str
    order: str
    parameters: int  # of the transformer
    tokens: int  # of a picture
    steps: int  # to draw one
    pictures: int  # seen in training
    flops: float  # floating-point operations of the training
    loss: float  # nats a picture of val, all its tokens together
    psnr: float  # dB, of val pictures encoded and decoded
    reconstructions: float  # Fréchet distance to train of these, over that of val
    guidance: float  # the best of those tried
    distance: float  # Fréchet distance to train of generated pictures, over that of val
    accuracy: float  # of a probe that names their class, over that on val
    milliseconds: float  # of one picture
