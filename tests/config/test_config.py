import pytest

from hqgan import config as configs
from hqgan.config import PRESETS, preset
from hqgan.errors import UserError


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name, tmp_path):
    config = preset(name)
    configs.write(config, tmp_path / "config.json")
    assert configs.read(tmp_path / "config.json") == config


def test_any_field_can_be_set():
    config = preset("paper", configs.parse_assignments(["training.lr_critic=1e-3", "generator.decoder=style2"]))
    assert config.training.lr_critic == 1e-3
    assert config.generator.decoder == "style2"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"training.lr_critc": 1}, "no field 'training.lr_critc'; did you mean training.lr_critic?"),
        ({"training.batch": 0}, r"training.batch: input should be greater than or equal to 2 \(it is 0\)"),
        ({"training.batch": "many"}, "training.batch: input should be a valid integer"),
        ({"generator.circuit.qubits": 0}, "generator.circuit.qubits: .* greater than or equal to 1"),
        ({"generator.circuit.entangler": "swap"}, "generator.circuit.entangler: .*'cz', 'cnot' or 'none'"),
        ({"data.size": 32}, "vanilla decoder makes 64x64"),
        ({"training.lr_critic": float("nan")}, "training.lr_critic: must be a finite number"),
        ({"preset.x": 1}, "preset holds a value"),
        ({"generator.kind": "\n\x1b[31m"}, r"generator: input tag '\\n\\x1b\[31m' found"),
        ({"elsewhere.x": 1}, "no field 'elsewhere'"),
    ],
)
def test_mistakes_are_named(changes, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        preset("paper", changes)
    assert "\n" not in str(caught.value)


def test_unknown_preset_names_the_known():
    with pytest.raises(UserError, match="no preset 'papr'; presets are dcgan, ddpm, demo, hqgan, .* and wgan-gp"):
        preset("papr")


@pytest.mark.parametrize("text", ["training.batch", "=3", "training.batch 3"])
def test_set_without_a_sign(text):
    with pytest.raises(UserError, match="`changes` takes field=value"):
        configs.parse_assignments([text])


def test_digest_changes_with_what_decides_the_result_only():
    base = preset("demo")
    assert configs.digest(base) == configs.digest(configs.replace(base, {"training.device": "cuda"}))
    assert configs.digest(base) != configs.digest(configs.replace(base, {"training.seed": 1}))


def test_differences_are_named():
    a = preset("demo")
    b = configs.replace(a, {"training.seed": 1, "training.device": "cpu"})
    assert configs.differences(a, b) == ["training.seed: 0 / 1"]


def test_damaged_file(tmp_path):
    (tmp_path / "config.json").write_text('{"preset": ')
    with pytest.raises(UserError, match="not readable as JSON"):
        configs.read(tmp_path / "config.json")
    with pytest.raises(UserError, match="There is no config"):
        configs.read(tmp_path / "missing.json")
