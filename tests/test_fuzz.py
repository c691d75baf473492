"""Random input at the boundary: what comes back is a result or one sentence. `make fuzz` tries many more."""

import json
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from hqgan import config as configs
from hqgan.circuits.ansatz import Ansatz
from hqgan.config import PRESETS, preset
from hqgan.training import checkpoint
from hqgan.types import UserError

many = settings(max_examples=20_000 if os.environ.get("HQGAN_FUZZ") else 100, deadline=None)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(configs.fields()), inner, max_size=3),
    max_leaves=5,
)


def one_sentence(error: UserError) -> None:
    assert str(error).strip()
    assert "\n" not in str(error)


@given(st.sampled_from(sorted(PRESETS)), st.dictionaries(st.sampled_from(configs.fields()), json_values, max_size=3))
@many
def test_config_fields(name, changes):
    try:
        config = preset(name, json.loads(json.dumps(changes)))
    except UserError as error:
        one_sentence(error)
    else:
        assert configs.from_dict(json.loads(config.model_dump_json())) == config


@given(json_values)
@many
def test_config_files(values):
    try:
        configs.from_dict(values)
    except UserError as error:
        one_sentence(error)


@given(st.lists(st.text(max_size=20), max_size=3))
@many
def test_assignments(texts):
    try:
        configs.parse_assignments(texts)
    except UserError as error:
        one_sentence(error)


@given(
    st.integers(-2, 6),
    st.integers(-2, 3),
    st.lists(st.sampled_from(["rx", "ry", "rz", "x", ""]), max_size=3),
    st.sampled_from(["cz", "cnot", "none", "swap"]),
    st.lists(st.lists(st.integers(-1, 6), max_size=3), max_size=3),
    st.lists(st.text("XYZ019", max_size=5) | st.just("probabilities"), max_size=3),
)
@many
def test_ansatz(qubits, layers, gates, entangler, pairs, readout):
    try:
        ansatz = Ansatz(qubits, layers, gates, gates, entangler, pairs, readout)
    except UserError as error:
        one_sentence(error)
    else:
        assert ansatz.readouts >= 1


@given(st.integers(0, 10_000), st.integers(0, 7), st.booleans(), st.integers(0, 10_000))
@many
def test_checkpoint_with_a_flipped_bit_or_cut(tmp_path_factory, place, bit, cut, which):
    import torch

    folder = tmp_path_factory.mktemp("checkpoint")
    tensors = {"ema/w": torch.arange(12.0)}
    path = checkpoint.write(folder, "images-1", tensors, {"step": 1})
    file = path.with_suffix(".safetensors") if which % 2 else path
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(data[: place % len(data)] if cut else data)
    try:
        read, values = checkpoint.read(path)
        assert values["step"] == 1
    except UserError as error:
        one_sentence(error)
    else:
        # White space may have changed.
        assert torch.equal(read["ema/w"], tensors["ema/w"])
