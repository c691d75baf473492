"""Random input at the boundary: what comes back is a result or one sentence, and nothing is written outside.

`make test` tries a few thousand, `make fuzz` more than a million; both count them.
"""

import csv
import io
import json
import os
import string
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hqgan import config as configs
from hqgan.circuits.ansatz import Ansatz
from hqgan.config import PRESETS, preset
from hqgan.config.sections import ClassSelection
from hqgan.data import open_data
from hqgan.data.index import DatasetIndex
from hqgan.data.layouts import recognise
from hqgan.data.select import choose
from hqgan.errors import UserError
from hqgan.experiments.compare.contestants import parse
from hqgan.io.files import unfit_class
from hqgan.io.tensor_file import read_table
from hqgan.sampling.images import counts_by_class, read_dropped
from hqgan.sampling.load import facts_of, load
from hqgan.training import checkpoint

TRIED: Counter[str] = Counter()


def tries(normal: int, many: int) -> settings:
    """So many inputs in `make test` and in `make fuzz`; one that takes ten seconds is a hang."""
    count = many if os.environ.get("HQGAN_FUZZ") else normal
    return settings(max_examples=count, deadline=10_000, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", autouse=True)
def _report(request):
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        if os.environ.get("HQGAN_FUZZ"):
            print(f"\ninputs tried: {sum(TRIED.values()):,}, without a finding in those that passed")
            print("\n".join(f"  {name}: {n:,}" for name, n in TRIED.items()))


def one_sentence(error: UserError) -> None:
    assert str(error).strip()
    assert "\n" not in str(error)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(configs.fields()), inner, max_size=3),
    max_leaves=5,
)
words = st.text(max_size=12)
names = st.sampled_from(["a", "b", "c", "train", "../x", ".", "A", "a/b", "\x00", "é", "a" * 300])


@given(st.sampled_from(sorted(PRESETS)), st.dictionaries(st.sampled_from(configs.fields()), json_values, max_size=3))
@tries(200, 100_000)
def test_config_fields(name, changes):
    TRIED["config, fields"] += 1
    try:
        config = preset(name, json.loads(json.dumps(changes)))
    except UserError as error:
        one_sentence(error)
    else:
        assert configs.from_dict(json.loads(config.model_dump_json())) == config


@given(json_values)
@tries(200, 100_000)
def test_config_files(values):
    TRIED["config, files"] += 1
    try:
        configs.from_dict(values)
    except UserError as error:
        one_sentence(error)


@given(st.lists(words, max_size=3))
@tries(200, 200_000)
def test_assignments(texts):
    TRIED["config, --set"] += 1
    try:
        configs.parse_assignments(texts)
    except UserError as error:
        one_sentence(error)


@given(st.sampled_from(["", *PRESETS]), st.text(alphabet=string.ascii_lowercase + ":@,=.[]{}\"' 01-", max_size=25))
@tries(200, 100_000)
def test_contestants(name, rest):
    TRIED["contestants"] += 1
    try:
        parse(name + rest)
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
@tries(200, 150_000)
def test_ansatz(qubits, layers, gates, entangler, pairs, readout):
    TRIED["ansatz"] += 1
    try:
        ansatz = Ansatz(qubits, layers, gates, gates, entangler, pairs, readout)
    except UserError as error:
        one_sentence(error)
    else:
        assert ansatz.readouts >= 1


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that inputs are written to, one after the other."""
    return tmp_path_factory.mktemp("fuzz")


@given(st.integers(0, 10_000), st.integers(0, 7), st.booleans(), st.integers(0, 10_000))
@tries(100, 20_000)
def test_checkpoint_with_a_flipped_bit_or_cut(place, at, bit, cut, which):
    import torch

    TRIED["checkpoints, bits flipped"] += 1
    tensors = {"ema/w": torch.arange(12.0)}
    path = checkpoint.write(place / "flipped", "images-1", tensors, {"step": 1})
    file = path.with_suffix(".safetensors") if which % 2 else path
    data = bytearray(file.read_bytes())
    data[at % len(data)] ^= 1 << bit
    file.write_bytes(data[: at % len(data)] if cut else data)
    try:
        read, values = checkpoint.read(path)
        assert values["step"] == 1
    except UserError as error:
        one_sentence(error)
    else:
        # White space may have changed.
        assert torch.equal(read["ema/w"], tensors["ema/w"])


entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "I64", "BOOL", "X", 3]),
        "shape": st.lists(st.integers(-1, 4) | st.just(2**62) | st.booleans(), max_size=3) | scalars,
        "data_offsets": st.lists(st.integers(-1, 40) | st.just(2**63), max_size=3) | scalars,
    }
)


@given(
    st.binary(max_size=60)
    | st.dictionaries(words, entries | json_values, max_size=3).map(lambda table: json.dumps(table).encode()),
    st.integers(-3, 3) | st.integers(0, 2**64 - 1),
    st.integers(0, 64),
)
@tries(300, 250_000)
def test_tables_of_tensors(place, table, off, body):
    TRIED["checkpoints, tables of tensors"] += 1
    length = (len(table) + off) % 2**64
    (place / "x.safetensors").write_bytes(length.to_bytes(8, "little") + table + bytes(body))
    try:
        found = read_table(place / "x.safetensors")
    except ValueError:
        pass  # the reason is part of a sentence, see test_checkpoint.py
    else:
        assert all(isinstance(kind, str) and all(side >= 0 for side in shape) for kind, shape in found.values())


PRIVACY = {
    "spent": 1.5,
    "delta": 1e-5,
    "clip": 1.0,
    "noise_multiplier": 1.0,
    "sampling_rate": 0.1,
    "done": 3,
    "lesions": 9,
}
facts = st.fixed_dictionaries(
    {
        "config": json_values | st.just({}),
        "classes": st.lists(names | words, max_size=4) | scalars,
        "images": scalars | st.just(3),
        "step": scalars | st.just(3),
        "privacy": st.none() | scalars | st.just(PRIVACY),
        "data": scalars
        | st.fixed_dictionaries(
            {
                "name": words,
                "licence": words,
                "fingerprint": words | scalars,
                "training_images": st.lists(st.integers(-1, 9), max_size=4),
            }
        ),
    }
)


@given(facts)
@tries(300, 100_000)
def test_what_a_checkpoint_says_of_itself(values):
    TRIED["checkpoints, facts"] += 1
    try:
        found = facts_of(json.loads(json.dumps(values)), Path("x.json"))
    except UserError as error:
        one_sentence(error)
    else:
        assert len(found.classes) >= 2
        assert len(found.data.training_images) == (0 if found.privacy else len(found.classes))


@given(st.sampled_from(["config", "classes", "images", "data", "tensors", "sha256", "bytes"]), json_values)
@tries(60, 5_000)
def test_checkpoints_changed_and_signed_again(tiny_run, place, field, value):
    TRIED["checkpoints, changed and signed again"] += 1
    whole = checkpoint.latest(tiny_run / "checkpoints")
    values = {**checkpoint.read_values(whole), field: json.loads(json.dumps(value))}
    path = place / "signed.json"
    path.write_text(json.dumps({**values, "json_sha256": checkpoint._digest(values)}))
    if not path.with_suffix(".safetensors").exists():
        path.with_suffix(".safetensors").write_bytes(whole.with_suffix(".safetensors").read_bytes())
    try:
        load(path)
    except UserError as error:
        one_sentence(error)


tables = st.lists(
    st.lists(st.sampled_from(["latent_seed", "checkpoint_sha256", "file", "1", "x", '"', "\x00"]) | words, max_size=4),
    max_size=5,
)


def as_csv(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


@given(tables.map(as_csv) | st.text(max_size=40))
@tries(200, 50_000)
def test_lists_of_images_to_drop(place, text):
    TRIED["manifests"] += 1
    (place / "flagged.csv").write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        read_dropped(place / "flagged.csv", "x")
    except UserError as error:
        one_sentence(error)


@given(
    st.integers(-1, 3) | st.none(), st.lists(words | st.sampled_from(["a=3", "b=x", "a=-1", "=1", "a=²"]), max_size=3)
)
@tries(200, 100_000)
def test_counts(per_class, wanted):
    TRIED["counts"] += 1
    try:
        assert all(n > 0 for n in counts_by_class(["a", "b"], per_class, wanted).values())
    except UserError as error:
        one_sentence(error)


@given(
    st.dictionaries(names, st.lists(names, max_size=3).map(tuple), max_size=3),
    st.lists(names, max_size=3).map(tuple),
    st.sampled_from(["", "hybridq"]),
)
@tries(200, 100_000)
def test_choices(merge, classes, protocol):
    TRIED["choices of classes"] += 1
    listing = DatasetIndex("isic2019", ("a", "b", "c"), ["1", "2", "3"], ["a", "b", "c"], ["", "", ""], "", 3)
    try:
        found = choose(listing, ClassSelection(merge=merge, classes=classes, protocol=protocol), 0)
    except UserError as error:
        one_sentence(error)
    else:
        assert set(found.labels) <= set(found.classes)


@given(names | words)
@tries(200, 50_000)
def test_class_names_stay_in_their_folder(name):
    TRIED["class names"] += 1
    if unfit_class([name]) is None:
        root = Path("/images")
        assert Path(os.path.normpath(root / name / "x.png")).parent == root / name
        assert (root / name).parent == root


def picture(ending):
    stream = io.BytesIO()
    Image.fromarray(np.arange(12 * 12 * 3, dtype=np.uint8).reshape(12, 12, 3)).save(stream, ending)
    return stream.getvalue()


PICTURES = [picture("PNG"), picture("JPEG"), picture("BMP"), b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(30)]
TABLES = {
    "HAM10000_metadata.csv": "lesion_id,image_id,dx\nL1,a,nv\nL2,b,mel\n",
    "full_df.csv": "ID,labels,filename\n1,['N'],a.png\n2,['D'],../b.png\n",
    "fitzpatrick17k.csv": "md5hash,qc,label,nine_partition_label,three_partition_label\na,,x,y,z\nb,,u,v,w\n",
    "metadata.csv": "patient_id,lesion_id,diagnostic,img_id\nP1,1,NEV,a.png\nP2,2,MEL,b.png\n",
    "ISIC_2019_Training_GroundTruth.csv": "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\na,1,0,0,0,0,0,0,0,0\nb,0,1,0,0,0,0,0,0,0\n",
    "dermamnist.npz": "PK\x03\x04",
}


def archive() -> bytes:
    """MedMNIST's layout with twelve images."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    sides = {f"{side}_images": pixels for side in ("train", "val", "test")}
    np.savez_compressed(
        stream,
        **sides,
        **{f"{side}_labels": np.arange(4, dtype=np.uint8)[:, None] for side in ("train", "val", "test")},
    )
    return stream.getvalue()


ARCHIVE = archive()


@given(
    st.lists(st.tuples(st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.none() | st.integers(0, len(ARCHIVE)),
)
@tries(200, 30_000)
def test_archives_of_arrays(changes, cut):
    TRIED["data archives"] += 1
    content = bytearray(ARCHIVE)
    for at, byte in changes:
        content[at] = byte
    with tempfile.TemporaryDirectory() as top:
        path = Path(top) / "dermamnist.npz"
        path.write_bytes(content[:cut])
        try:
            data = open_data(path, 8, cache=Path(top) / "cache")
        except UserError as error:
            one_sentence(error)
        else:
            assert len(data) == 12
        assert {p.name for p in Path(top).iterdir()} <= {"dermamnist.npz", "cache"}
        assert not list(Path(top).glob("cache/images/.*"))


files = st.dictionaries(
    st.sampled_from([f"{top}{name}" for top in ("", "x/", "y/") for name in ("a.png", "b.JPG", "c.bmp", "d.txt", ".e")]),
    st.sampled_from(PICTURES) | st.binary(max_size=30),
    max_size=5,
)  # fmt: skip
edits = st.tuples(st.integers(0, 200), st.sampled_from(["", ",", "\n", '"', "\x00", "é", "nv", "1.0"]))


@given(files, st.dictionaries(st.sampled_from(sorted(TABLES)), st.lists(edits, max_size=3), max_size=2))
@tries(100, 10_000)
def test_trees_of_data(tree, listed):
    TRIED["data trees"] += 1
    with tempfile.TemporaryDirectory() as top:
        root = Path(top) / "data"
        root.mkdir()
        for name, content in tree.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(content)
        for name, changes in listed.items():
            text = TABLES[name]
            for at, new in changes:
                text = text[:at] + new + text[at + 1 :]
            (root / name).write_text(text, encoding="utf-8")
        before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
        try:
            recognise(root)
            data = open_data(root, 8, cache=Path(top) / "cache")
        except UserError as error:
            one_sentence(error)
        else:
            assert len(data) == len(data.labels) == len(data.groups) == len(data.files)
            assert set(data.files.tolist()) <= {str(p.relative_to(root)) for p in before}
        assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before
        assert {p.name for p in Path(top).iterdir()} <= {"data", "cache"}
