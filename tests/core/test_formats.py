"""What files of today's format hold: with a field more or less, their format is another."""

from dataclasses import fields

import pytest

from var_core.config import ModelSpec, Sampling, TokenizerConfig, TransformerConfig
from var_core.editing.edit_settings import EditSettings
from var_core.formats import FORMAT
from var_core.inspection.trace import About

HELD_BY = 8  # the format of which `HELD` is true
HELD = {
    Sampling: "guidance ramp temperature cooling top_k top_p smooth unguided_scales reused_scales spatial_guidance",
    EditSettings: (
        "fill first_free_scale min_coverage follow match detail dilate feather context harmonise shown "
        "candidates soft likeness smallest_square"
    ),
    ModelSpec: "name tokenizer transformer class_names class_groups class_synonyms default_sampling showcase",
    TokenizerConfig: (
        "sides vocabulary code_width channels multipliers residual_blocks norm_groups stem phis refine "
        "refine_blocks order own_codes enlarge enlarge_channels enlarge_blocks"
    ),
    TransformerConfig: "sides classes depth width heads vocabulary code_width mlp_ratio shared_adaln order",
    About: "model digest codebook sides label class_name null_label scale_seeds sampling origin device",
}


@pytest.mark.parametrize("kind", HELD, ids=lambda kind: kind.__name__)
def test_who_adds_to_a_file_raises_its_format(kind):
    """Then `upgrade` gives files of before what they left out; without, they would not open."""
    changed = {field.name for field in fields(kind)} ^ {*HELD[kind].split()}
    assert not changed, f"for {changed} raise FORMAT, and give older files what they meant (var_core/formats.py)"
    assert FORMAT == HELD_BY, "write down here what files of the new format hold"
