"""Operations by formula."""

from dataclasses import replace

from support import tiny

from var_core.flops import attention_flops, modulation_flops, picture_flops, read_flops, training_flops

CONFIG = tiny.SPEC.transformer


def test_reading_is_linear_in_tokens_but_for_attention():
    one, two = (read_flops(CONFIG, tokens, tokens, 7, tokens) for tokens in (1, 2))
    assert two == 2 * one
    wider = read_flops(CONFIG, 2, 2, 14, 2)
    assert wider - two == attention_flops(CONFIG, 2, 7) == 2 * attention_flops(CONFIG, 1, 7)


def test_a_training_step_costs_three_passes():
    forward = read_flops(CONFIG, 30, 30, 30, 30) + modulation_flops(CONFIG)
    assert training_flops(CONFIG, 30) == 3 * forward


def test_a_picture_costs_the_same_products_as_reading_it_at_once_and_guidance_costs_it_twice():
    tokens = sum(side * side for side in CONFIG.sides)
    unmasked = read_flops(CONFIG, tokens, tokens, tokens, tokens) + modulation_flops(CONFIG)
    cost = picture_flops(CONFIG, guided=False)
    assert 0 < unmasked - cost < attention_flops(CONFIG, tokens, tokens)  # no token looks at a finer scale
    assert picture_flops(CONFIG, guided=True) == 2 * cost


def test_more_blocks_cost_more_by_the_same_each():
    costs = [training_flops(replace(CONFIG, depth=depth), 30) for depth in (1, 2, 3)]
    assert costs[1] - costs[0] == costs[2] - costs[1] > 0
