"""What files may hold instead of what belongs there, and what has to be said of it."""

import json
import time
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MOST_SECONDS = 1.0  # of the processor, for an answer
FEW = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
LETTERS = st.text('aé睡\0\x1b\n{[":\\\ud800', max_size=20)
# What a field of a file may hold instead of what belongs there.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-(10**9), 10**9, 2**31, 2**63, 2**70, 10**400, 0, -1]),
    st.floats(),
    LETTERS,
    st.lists(st.integers() | LETTERS, max_size=5),
    st.dictionaries(LETTERS, st.integers(), max_size=3),
)


def sentence(act: Callable[[], object]) -> str:
    """What is said of something that cannot be done, or "" if it can; nothing but a ValueError may come, and soon."""
    began = time.process_time()
    try:
        act()
        said = ""
    except ValueError as error:
        said = str(error)
        assert said.strip() and "Traceback" not in said
    assert time.process_time() - began < MOST_SECONDS
    return said


def mutated(draw: st.DrawFn, values: dict) -> dict:
    """JSON values with one field, at any depth, exchanged, taken away or added."""
    name = draw(st.sampled_from([*values, "strange"]))
    if isinstance(values.get(name), dict) and draw(st.booleans()):
        return {**values, name: mutated(draw, values[name])}
    if draw(st.integers(0, 9)) == 0:
        return {key: value for key, value in values.items() if key != name}
    return {**values, name: draw(ODD)}


@st.composite
def odd(draw: st.DrawFn, values: dict) -> str:
    """JSON of values that lie, or any text."""
    if draw(st.integers(0, 9)) == 0:
        return draw(LETTERS)
    return json.dumps(mutated(draw, mutated(draw, values) if draw(st.booleans()) else values))
