"""What a comparison may be asked for."""

import pytest

from hqgan.config import preset
from hqgan.errors import UserError
from hqgan.experiments.compare import SUITES, Settings, suite
from hqgan.experiments.compare.contestants import check, config_of, contestants_of, parse


def test_a_preset_with_changes_and_a_backend():
    one = parse("hqgan:generator.decoder_channels=[48,24],generator.circuit.layers=0@aer,256")
    assert one.preset == "hqgan"
    assert one.changes == {"generator.decoder_channels": [48, 24], "generator.circuit.layers": 0}
    assert (one.backend, one.shots) == ("aer", 256)
    assert one.run == "hqgan-generator.decoder_channels-48-24-generator.circuit.layers-0"
    assert one.folder == one.run + "-aer-256"
    assert parse("hqgan@fake:brisbane").backend == "fake:brisbane"
    assert parse("hqgan@aer,256").run == parse("hqgan").run


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hqgna", "no preset 'hqgna'"),
        ("hqgan@", "`contestants` takes"),
        ("hqgan@aer,many", "`contestants` takes"),
        ("hqgan:layers", "takes field=value"),
        ("hqgan@ibm:least-busy", "cost money"),
        ("hqgan@aer,0", "`contestants` takes"),
        ("hqgan:data.seed=0", "the same for all contestants"),
        ("hqgan:training.kimg=3", "give `kimg`"),
    ],
)
def test_bad_contestants_are_one_sentence(text, sentence):
    with pytest.raises(UserError, match=sentence):
        parse(text)


def test_values_may_hold_commas_and_fields_digits():
    assert parse("hqgan:training.batch=32,training.r1_weight=5").changes == {
        "training.batch": 32,
        "training.r1_weight": 5,
    }


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Settings(changes={"data.seed": 0}), "`data.seed` is not allowed"),
        (Settings(seconds=float("inf")), "finite"),
        (Settings(contestants=("hqgan@aerr",)), "aerr"),
        (Settings(contestants=("dcgan@aer",)), "dcgan has no circuits"),
        (Settings(contestants=("hqgan@statevector,100",)), "takes no `shots`"),
        (Settings(contestants=("hqgan", "hqgan:training.batch=x")), "hqgan:training.batch=x"),
    ],
)
def test_what_would_fail_late_fails_at_once(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        check(settings)


def test_a_field_that_a_preset_lacks_names_the_contestant():
    settings = Settings(contestants=("dcgan:generator.circuit.layers=0",))
    with pytest.raises(UserError, match=r"dcgan:generator\.circuit\.layers=0: .*no field"):
        config_of(contestants_of(settings)[0], "demo", 0, settings, 1.0)


def test_all_runs_of_a_seed_share_split_and_budget():
    settings = Settings(contestants=("hqgan", "dcgan"), size=32, changes={"training.batch": 8})
    for one in contestants_of(settings):
        config = config_of(one, "demo", 3, settings, 12.0)
        assert (config.data.seed, config.training.seed, config.data.size) == (3, 3, 32)
        assert (config.training.kimg, config.training.evaluate_kimg, config.training.batch) == (12.0, 2.0, 8)


def test_a_presets_own_length_is_kept_without_a_budget():
    one = contestants_of(Settings(contestants=("demo",)))[0]
    assert config_of(one, "demo", 0, Settings(), None).training.kimg == preset("demo").training.kimg


def test_a_study_takes_presets_as_they_are():
    with pytest.raises(UserError, match="takes presets without changes"):
        contestants_of(Settings(contestants=("hqgan", "hqgan@aer"), study={}))


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("small", [True, False])
def test_every_suite_names_contestants_that_there_are(name, small):
    settings = suite(name, small)
    assert check(settings)


def test_an_unknown_suite_is_one_sentence():
    with pytest.raises(UserError, match="no suite 'paper'"):
        suite("paper", small=False)
