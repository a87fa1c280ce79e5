"""Floating-point operations of a transformer, from its sizes: a multiplication and an addition are two."""

from .config import TransformerConfig


def attention_flops(config: TransformerConfig, read: int, context: int) -> int:
    """Count what compares the queries of `read` tokens with the keys of `context` tokens, and mixes their values."""
    return 4 * config.depth * config.width * read * context


def read_flops(config: TransformerConfig, read: int, embedded: int, context: int, predicted: int) -> int:
    """Count the passage of `read` tokens through all blocks, each of which attends to `context` tokens.

    Of them `embedded` come in as codes, and `predicted` leave through the head. AdaLN is not in it.
    """
    linear = config.depth * (4 + 2 * config.mlp_ratio) * config.width**2
    ends = embedded * config.code_width * config.width + predicted * config.width * config.vocabulary
    return 2 * (read * linear + ends) + attention_flops(config, read, context)


def modulation_flops(config: TransformerConfig) -> int:
    """Count AdaLN of all blocks and of the head, once a picture."""
    return 2 * (6 * config.depth + 2) * config.width**2


def picture_flops(config: TransformerConfig, guided: bool) -> int:
    """Count what draws one picture scale by scale over the prefix cache, twice if it is guided; decoding not in it."""
    lengths = [side * side for side in config.sides]
    reads = [
        read_flops(config, length, length, sum(lengths[: scale + 1]), length) for scale, length in enumerate(lengths)
    ]
    return (2 if guided else 1) * (sum(reads) + modulation_flops(config))


def training_flops(config: TransformerConfig, tokens: int) -> int:
    """Count a training step on a picture of which so many tokens are seen: forward, and twice as much backward.

    Under the mask about half of attention is needed, which no library skips here.
    """
    return 3 * (read_flops(config, tokens, tokens, tokens, tokens) + modulation_flops(config))
