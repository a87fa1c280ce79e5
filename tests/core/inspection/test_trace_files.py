"""A trace survives a file, and a file that is no trace is refused in words."""

import json
import random
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.tiny import SIDES, pipeline
from support.traces import KINDS, tensors_of, traced

from var_core.config import Sampling
from var_core.formats import FORMAT, FORMAT_KEY
from var_core.inspection import trace as traces
from var_core.inspection.recording import recorded
from var_core.inspection.trace import KEY, About, Spot, Trace, upgrade
from var_core.published_specs import SPECS
from var_core.schedule import Schedule
from var_core.settings import rows

DATA = Path(__file__).parents[2] / "data"


def written(path: Path, about: object = None, /, **changed: torch.Tensor | None) -> Path:
    """A trace in a file, with some of it exchanged; a tensor None is left out."""
    trace = traced("edited")
    values = asdict(trace.about) if about is None else about
    text = json.dumps({FORMAT_KEY: FORMAT, **values} if isinstance(values, dict) else values)
    save_file({k: t for k, t in {**tensors_of(trace), **changed}.items() if t is not None}, path, {KEY: text})
    return path


def usable(path: Path) -> bool:
    """Whether a file opens as a trace that all can be asked of; otherwise the sentence must say what is wrong."""
    try:
        trace = Trace.load(path)
    except ValueError as error:
        assert path.name in str(error) and str(error).endswith(".")
        return False
    trace.request(), trace.attention(Spot(0, 0)), trace.masses, trace.nearness
    return True


@pytest.mark.parametrize("kind", [*KINDS, "no class", "smooth"])
def test_a_trace_comes_back_from_its_file_bit_by_bit(kind, tmp_path):
    trace = traced(kind)
    trace.save(tmp_path / "a.safetensors")
    again = Trace.load(tmp_path / "a.safetensors")
    assert again.about == trace.about
    for name, tensor in tensors_of(trace).items():
        found = getattr(again, name)
        assert found.dtype == tensor.dtype and torch.equal(found, tensor)
    again.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_trace_saved_by_an_earlier_version_opens(tmp_path):
    older = Trace.load(DATA / "trace_version_1.safetensors")
    again = recorded(pipeline(), older.request())
    assert older.about.scale_seeds == (5,) * 4 and torch.equal(older.flops, again.flops)
    assert torch.equal(older.tokens, again.tokens) and torch.equal(older.likeliest, again.likeliest)
    torch.testing.assert_close(older.likeliest_probability, again.likeliest_probability)
    older.save(tmp_path / "now.safetensors")
    assert Trace.load(tmp_path / "now.safetensors").about == older.about


@pytest.mark.parametrize("version", [0, FORMAT + 1, "2", None, True, [2]])
def test_a_trace_of_another_version_is_refused(version, tmp_path):
    about = asdict(traced("edited").about)
    assert not usable(written(tmp_path / "a.safetensors", {**about, "format": version}))
    assert usable(written(tmp_path / "a.safetensors", {**about, "format": 2}))


def test_a_loaded_trace_outlives_its_file(tmp_path):
    path = written(tmp_path / "a.safetensors")
    trace = Trace.load(path)
    path.write_bytes(b"")
    assert torch.equal(trace.pictures, traced("edited").pictures)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.safetensors: there is no such file"):
        Trace.load(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("content", [b"", b"abc", bytes(100), b"\xff" * 100, np.random.default_rng(0).bytes(5000)])
def test_other_files_are_no_traces(content, tmp_path):
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other.bin is not a trace: choose a \.safetensors file that Explore"):
        Trace.load(path)
    with pytest.raises(ValueError, match="is not a trace"):
        Trace.load(tmp_path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_other_tensors_are_no_traces(metadata, tmp_path):
    save_file(tensors_of(traced("drawn")), tmp_path / "a.safetensors", metadata)
    with pytest.raises(ValueError, match="holds no trace"):
        Trace.load(tmp_path / "a.safetensors")


ODD = (None, "x", "", -1, 0, 1.5, float("nan"), float("inf"), [], [[1]], [1, "a"], {}, {"a": 1}, True, 10**30, "\ud800")
# for each field those of them that it may have
POSSIBLE = {
    **dict.fromkeys(("model", "digest", "codebook", "class_name", "device"), ("x", "")),
    **dict.fromkeys(("label", "top_k", "top_p", "unguided_scales", "reused_scales"), (0,)),
    **{
        "null_label": (10**30,),
        "guidance": (0, 1.5),
        "ramp": (0,),
        "temperature": (1.5,),
        "cooling": (0,),
        "spatial_guidance": (0, 1.5),
    },
}


SWITCHES = {row.name for row in rows(Sampling) if row.kind is bool}


def possible(field: str, value: object) -> bool:
    allowed = POSSIBLE.get(field, ())
    return any(type(value) is type(one) and value == one for one in allowed) or repr(value) in allowed


@pytest.mark.parametrize("field", [*(field.name for field in fields(About)), "strange"])
def test_descriptions_with_odd_values_are_refused(field, tmp_path):
    about = asdict(traced("edited").about)
    for value in ODD:
        path = written(tmp_path / "odd.safetensors", {**about, field: value})
        assert usable(path) is possible(field, value), value
    if field in ("model", "sides", "label", "sampling", "scale_seeds"):
        del about[field]
        assert not usable(written(tmp_path / "short.safetensors", about))


@pytest.mark.parametrize("field", [*(field.name for field in fields(Sampling)), "strange"])
def test_settings_with_odd_values_are_refused(field, tmp_path):
    about = asdict(traced("edited").about)
    for value in ODD:
        odd = {**about, "sampling": {**about["sampling"], field: value}}
        allowed = possible(field, value) or (field in SWITCHES and value is True)
        assert usable(written(tmp_path / "odd.safetensors", odd)) is allowed, value
    short = {**about, "sampling": {name: value for name, value in about["sampling"].items() if name != field}}
    assert usable(written(tmp_path / "short.safetensors", short)) is (field == "strange")


@pytest.mark.parametrize(
    ("field", "value"),
    [("ramp", 1.0), ("cooling", 0.0), ("unguided_scales", 0), ("reused_scales", 0), ("spatial_guidance", 0.0)],
)
def test_a_setting_that_the_first_format_left_out_is_as_it_was_then(field, value):
    told = {name: value for name, value in asdict(Sampling()).items() if name != field}
    assert upgrade({"sampling": told, "tensors": {}})["sampling"] == {**told, field: value}


@pytest.mark.parametrize(
    "sides",
    [
        *((1, 2, 3, 5), (1, 3, 2, 4), (1, 2, 3), (2, 3, 4, 5), (0, 1, 2, 3), (1, 2, 2, 4), (1, 2, 3, 10**9), (1, 65)),
        *((1, 2, 3, 4.0), (True, 2, 3, 4), "1234", {"1": 2}, tuple(range(1, 65)), (1, 2, 3, [4]), (1, 2, 3, None)),
    ],
)
def test_sides_that_do_not_fit_or_do_not_grow_are_refused(sides, tmp_path):
    assert not usable(written(tmp_path / "a.safetensors", {**asdict(traced("edited").about), "sides": sides}))


@pytest.mark.parametrize(
    "seeds",
    [(), (1, 2, 3), (1, 2, 3, 4, 5), (1, 2, 3, -1), (1, 2, 3, 2**63), (1, 2, 3, 4.0), (1, 2, 3, True), ([1], 2, 3, 4)],
)
def test_seeds_that_do_not_fit_or_are_out_of_range_are_refused(seeds, tmp_path):
    assert not usable(written(tmp_path / "a.safetensors", {**asdict(traced("edited").about), "scale_seeds": seeds}))


def test_a_trace_without_a_seed_for_each_scale_is_refused(tmp_path):
    about = asdict(traced("edited").about)
    del about["scale_seeds"]
    for others in ({}, {"seed": 5}, {"seed": 5, "scale_seeds": [5] * 4}, {"seeds": [5] * 4}):
        assert not usable(written(tmp_path / "a.safetensors", {**about, **others}))


@pytest.mark.parametrize("field", ["model", "digest", "codebook", "class_name", "device"])
def test_long_texts_are_refused(field, tmp_path):
    about = asdict(traced("edited").about)
    assert usable(written(tmp_path / "a.safetensors", {**about, field: "睡" * 200}))
    assert not usable(written(tmp_path / "a.safetensors", {**about, field: "x" * 201}))


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "1", '"x"', "[" * 100_000, "1" * 5000, '{"sides": ' + "1" * 5000 + "}", "{}", "\0"]
)
def test_texts_that_describe_nothing_are_refused(text, tmp_path):
    save_file(tensors_of(traced("drawn")), tmp_path / "a.safetensors", {KEY: text})
    assert not usable(tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", tensors_of(traced("edited")))
def test_tensors_of_other_shapes_or_types_or_none_are_refused(name, tmp_path):
    tensor = getattr(traced("edited"), name)
    types = (torch.float64, torch.bfloat16, torch.complex64, torch.float8_e5m2)
    shapes = (tensor[:-1], tensor[:0], tensor[None], tensor[..., :0], tensor.flatten()[0])
    for wrong in (None, *shapes, *(tensor.float().to(kind) for kind in types)):
        found = None if wrong is None else wrong.contiguous()
        assert not usable(written(tmp_path / "a.safetensors", **{name: found}))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        *((name, value, "outside 0 to 63") for name in ("tokens", "likeliest") for value in (-1, 64, 2**31 - 1)),
        *(("unguided", value, "outside -1 to 63") for value in (-2, 64)),
        *(("rank", value, "outside 1 to 64") for value in (0, 65)),
        *(
            (name, value, "outside 0 to 1")
            for name in ("probability", "likeliest_probability")
            for value in (-0.5, 1.5)
        ),
        *((name, -0.5, "outside 0 to") for name in ("entropy", "divergence", "seconds")),
        *(
            (name, value, "outside")
            for name in (
                "probability",
                "entropy",
                "divergence",
                "evidence",
                "likeliest_probability",
                "seconds",
                "queries",
                "keys",
            )
            for value in (float("nan"), float("inf"), -float("inf"))
        ),
    ],
)
def test_numbers_that_cannot_be_are_refused(name, value, message, tmp_path):
    tensor = getattr(traced("edited"), name).clone()
    tensor.view(-1)[-1] = value
    path = written(tmp_path / "a.safetensors", **{name: tensor})
    with pytest.raises(ValueError, match=rf"a.safetensors is damaged: its '{name}' holds numbers {message}"):
        Trace.load(path)


@pytest.mark.parametrize("name", ["extra", "about", "cls", "self"])
def test_a_tensor_too_many_is_refused(name, tmp_path):
    assert not usable(written(tmp_path / "a.safetensors", **{name: torch.zeros(1)}))


def test_pictures_of_no_side_are_refused(tmp_path):
    assert not usable(written(tmp_path / "a.safetensors", pictures=torch.zeros(4, 0, 0, 3, dtype=torch.uint8)))


def sized(sides=SIDES, depth=2, heads=2, width=16, codes=64, side=32) -> Trace:
    """A trace of certain sizes, of zeros that are held only once."""
    total, scales = Schedule(sides).total, len(sides)

    def zeros(*shape: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros((), dtype=kind).expand(shape)

    whole = {name: zeros(total, kind=torch.int32) for name in ("tokens", "unguided")}
    return Trace(
        replace(traced("drawn").about, sides=sides, scale_seeds=(5,) * scales),
        **whole,
        rank=zeros(total, kind=torch.int32) + 1,
        keep=zeros(total, kind=torch.bool),
        **{name: zeros(total) for name in ("probability", "entropy", "divergence", "evidence")},
        likeliest=zeros(total, min(10, codes), kind=torch.int32),
        likeliest_probability=zeros(total, min(10, codes)),
        **{name: zeros(depth, heads, total, width, kind=torch.float16) for name in ("queries", "keys")},
        pictures=zeros(scales, side, side, 3, kind=torch.uint8),
        seconds=zeros(scales),
        **{name: zeros(scales, kind=torch.int64) for name in ("flops", "cache_bytes")},
        colours=zeros(codes, 3, kind=torch.uint8),
    )


def test_a_trace_of_the_largest_published_model_can_be_opened():
    spec = SPECS["var-d36-s"]
    depth, heads, width = spec.transformer.depth, spec.transformer.heads, spec.transformer.width
    trace = sized(spec.tokenizer.sides, depth, heads, width // heads, spec.tokenizer.vocabulary, 512)
    traces._check_shapes(trace, "a")
    assert 0.75e9 < sum(tensor.nbytes for tensor in tensors_of(trace).values()) < traces.MOST_BYTES


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"sides": (1, 55)}, "3026 tokens, and 3000"),
        ({"sides": tuple(range(1, 21)), "depth": 40, "heads": 40, "width": 64}, "MB, and 800"),
        ({"sides": tuple(range(1, 26))}, "tokens|scales"),
        ({"depth": 65}, "65 blocks, and 64"),
        ({"heads": 65}, "65 heads, and 64"),
        ({"heads": 1, "width": 8193}, "8193 numbers in a token's query, and 8192"),
        ({"codes": 65537}, "65537 codes, and 65536"),
        ({"side": 1025}, "1025 pixels along a picture's side, and 1024"),
    ],
)
def test_what_would_take_too_much_to_open_is_neither_opened_nor_saved(sizes, message, tmp_path):
    trace = sized(**sizes)
    for refuse in (lambda: traces._check(trace, "a"), lambda: trace.save(tmp_path / "a")):
        with pytest.raises(ValueError, match=rf"^a is too large: .*{message}.* can be opened\.$"):
            refuse()
    assert not list(tmp_path.iterdir())


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "a.safetensors").open("wb") as file:
        file.truncate(2 * traces.MOST_BYTES)  # sparse: it takes no room
    with pytest.raises(ValueError, match=r"a\.safetensors is too large: it has 1600 MB"):
        Trace.load(tmp_path / "a.safetensors")


def test_a_file_of_very_many_tensors_is_refused_before_they_are_read(tmp_path, monkeypatch):
    path = written(tmp_path / "a.safetensors", **{f"t{n}": torch.zeros(1) for n in range(3)})
    monkeypatch.setattr(torch.Tensor, "clone", None)
    assert not usable(path)


def test_the_widest_allowed_trace_is_looked_at_in_little_memory(monkeypatch):
    """Each step of `masses` and `attention` is of a few heads, or of one block: none is of the whole."""
    largest, plain = [0], traces._mean_attention

    def watched(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        largest.append(len(queries) * keys.shape[1] * max(queries.shape[1], keys.shape[2]))
        return plain(queries, keys)

    monkeypatch.setattr(traces, "_mean_attention", watched)
    monkeypatch.setattr(traces, "MOST_PRODUCTS", 10**7)
    trace = sized(tuple(range(1, 21)), depth=3, heads=4, width=2048)
    rows = trace.masses.sum(-1)
    torch.testing.assert_close(rows, torch.ones(rows.shape))
    trace.attention(Spot(19, 0))
    assert max(largest) <= max(traces.AT_ONCE, 4 * 2870 * 2048)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes_never_end_in_another_error(seed, tmp_path):
    whole, path = written(tmp_path / "a.safetensors").read_bytes(), tmp_path / "b.safetensors"
    chance, head = random.Random(seed), 8 + int.from_bytes(whole[:8], "little")
    opened = 0
    for _ in range(60):
        for end in (head, len(whole)):
            damaged = bytearray(whole)
            for _ in range(chance.choice((1, 3, 20))):
                damaged[chance.randrange(end)] = chance.randrange(256)
            path.write_bytes(damaged)
            opened += usable(path)
        path.write_bytes(whole[: chance.randrange(len(whole))])
        assert not usable(path)
    assert opened < 60
