"""The published models, as their authors describe them: known before any of their files is here."""

from .config import OFFICIAL_SIDES_256, OFFICIAL_SIDES_512, ModelSpec, Sampling, TokenizerConfig, TransformerConfig

PUBLISHED_SAMPLING = Sampling(guidance=4.0, top_k=900, top_p=0.95)  # of the published models, for single pictures
METRICS = Sampling(guidance=1.5, top_k=900, top_p=0.96)  # those of the published FID


def published(depth: int, sides: tuple[int, ...] = OFFICIAL_SIDES_256, shared_adaln: bool = False) -> ModelSpec:
    """The ImageNet model of a given depth, by the published shape rules."""
    name = f"var-d{depth}" + ("-s" if shared_adaln else "")
    codes = TokenizerConfig(sides=sides)
    transformer = TransformerConfig.of_depth(depth, codes, 1000, shared_adaln)
    return ModelSpec(name, codes, transformer, default_sampling=PUBLISHED_SAMPLING)


SPECS = {
    spec.name: spec
    for spec in (*(published(depth) for depth in (16, 20, 24, 30)), published(36, OFFICIAL_SIDES_512, True))
}
