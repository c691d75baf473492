"""Options: how lists are given, one meaning each, whole sentences as help."""

import pytest
import typer

from hqgan.cli import main as cli
from hqgan.cli.flags import FLAGS, with_flags
from hqgan.cli.options import LISTS, split, whole_numbers
from hqgan.errors import UserError


def commands(group=None, path=()):
    """Every command by its path."""
    for name, command in (group or typer.main.get_command(cli.app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands())


def parsed(*words):
    """What a command makes of its options."""
    command = next(c for path, c in ALL.items() if words[: len(path)] == path)
    path = next(path for path in ALL if words[: len(path)] == path)
    with command.make_context("hqgan", [str(word) for word in words[len(path) :]]) as context:
        return context.params


@pytest.mark.parametrize(
    "words",
    [
        ("data", "inspect", "ham", "--classes", "nv", "mel"),
        ("data", "inspect", "ham", "--classes", "nv", "--classes", "mel"),
        ("data", "inspect", "ham", "--classes=nv", "mel", "--size", 32),
        ("data", "inspect", "--classes", "nv", "mel", "ham"),
        ("data", "inspect", "--classes", "nv", "--classes", "mel", "ham"),
    ],
)
def test_a_list_is_given_at_once_or_by_repeating_its_option(words):
    given = parsed(*words)
    assert (given["path"], given["classes"]) == ("ham", ["nv", "mel"])


def test_arguments_are_found_behind_a_list():
    given = parsed("export", "--class", "df=2", "mel=3", "run", "out", "--seed", 1)
    assert (given["class_"], str(given["run"]), str(given["out"])) == (["df=2", "mel=3"], "run", "out")
    given = parsed("study", "--ratios", 0.5, 1, "--fill", "df", "--out", "s")
    assert (given["ratios"], given["fill"], str(given["out"])) == (["0.5", "1"], ["df"], "s")


def test_commas_separate_names_and_numbers():
    assert split(["nv, mel", "df"]) == ["nv", "mel", "df"]
    assert split(['"a, b",c']) == ["a, b", "c"]
    assert split([""]) == split(None) == []
    assert whole_numbers(["1,2", "4"], "--depths", 1) == [1, 2, 4]
    with pytest.raises(UserError, match="--depths takes whole numbers from 1 on"):
        whole_numbers(["0"], "--depths", 1)


def test_commands_with_lists_say_how_they_are_given():
    with_lists = {path for path, command in ALL.items() if any(getattr(p, "multiple", False) for p in command.params)}
    assert {path for path, command in ALL.items() if command.epilog == LISTS} == with_lists
    assert {("study",), ("compare",), ("train",), ("circuits", "gradients")} <= with_lists


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_is_whole_sentences(path):
    command = ALL[path]
    for text in (command.help, *(p.help for p in command.params if p.name != "help")):
        first = text.partition("(default")[0].strip()
        assert first[0].isupper() or first.startswith(("OWNER", "`")), text
        assert first.endswith("."), f"{' '.join(path)}: {text}"
        assert not first.startswith("Of "), text


def test_one_option_means_one_thing():
    helps = {}
    for path, command in ALL.items():
        for p in command.params:
            if p.param_type_name == "option" and p.name != "help":
                helps.setdefault(p.opts[0], {})[" ".join(path)] = (p.help, p.multiple)
    for option in (
        "--seeds",
        "--classes",
        "--merge",
        "--protocol",
        "--label",
        "--kimg",
        "--batch",
        "--device",
        "--set",
        "--json",
    ):
        found = {text for path, text in helps[option].items() if path != "presets" and path != "data fetch"}
        assert len(found) == 1, (option, found)
    assert all(text.startswith("Random seed of ") and not several for text, several in helps["--seed"].values())
    # Sweeps take several values of what one circuit has once; `presets --classes` counts; `compare` takes several data sets.
    assert {o for o, found in helps.items() if len({several for _, several in found.values()}) > 1} == {
        "--qubits", "--shots", "--mitigation", "--classes", "--data",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["evaluate", "presets", "config", "study", "audit", "compare", "export"])
def test_what_prints_a_result_writes_it_as_json(name):
    assert "--json" in {option for p in ALL[(name,)].params for option in p.opts}


def test_error_sentences_name_fields_and_the_command_line_flags():
    assert with_flags("choose another `out`.") == "choose another --out."
    assert with_flags("take a smaller `training.batch`") == "take a smaller --batch"
    assert with_flags("lower `training.lr_generator`") == "lower --set training.lr_generator"
    assert with_flags("see `hqgan presets` and `nothing`") == "see `hqgan presets` and `nothing`"
    options = {option for command in ALL.values() for p in command.params for option in p.opts}
    assert set(FLAGS.values()) <= options


@pytest.mark.parametrize(("given", "rates"), [({}, (2e-4, 4e-4)), ({"lr": 1e-4}, (1e-4, 2e-4))])
def test_one_learning_rate_keeps_the_presets_ratio(tmp_path, given, rates):
    from hqgan.cli.train import run_config

    training = run_config(tmp_path / "run", "hqgan", {}, False, **given).training
    assert (training.lr_generator, training.lr_critic) == pytest.approx(rates)
    training = run_config(tmp_path / "run", "hqgan", {"training.lr_critic": 1e-3}, False, 1e-4).training
    assert (training.lr_generator, training.lr_critic) == (1e-4, 1e-3)


def test_common_fields_have_options_of_their_own(hqgan, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr("hqgan.cli.train.train_run", lambda config, out, *more: given.append(config))
    options = ("--size", 32, "--batch", 8, "--lr", 1e-4, "--kimg", 3, "--seed", 4, "--data", "demo:200")
    assert hqgan("train", "--preset", "dcgan", "--out", tmp_path / "run", *options)[0] == 0
    (config,) = given
    assert (config.data.path, config.data.size) == ("demo:200", 32)
    training = config.training
    assert (training.batch, training.kimg, training.seed, training.lr_generator) == (8, 3, 4, 1e-4)
