import json

import pytest

from hqgan.errors import UserError
from hqgan.experiments.folder import PROCESSES, held, read_settings, write_settings
from hqgan.runtime.processes import Shard


def test_settings_are_read_again_and_those_of_another_kind_are_refused(tmp_path):
    assert read_settings(tmp_path / "new", "study", "generators") == {}
    write_settings(tmp_path, "study", {"size": 32})
    assert read_settings(tmp_path, "study", "generators") == {"of": "study", "size": 32}
    with pytest.raises(UserError, match="does not hold a comparison; choose another `out`"):
        read_settings(tmp_path, "comparison", "runs")


def test_an_older_study_does_not_say_what_it_is(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"fingerprint": "x"}))
    assert read_settings(tmp_path, "study", "generators")["fingerprint"] == "x"


def test_files_of_others_are_refused(tmp_path):
    (tmp_path / "generators").mkdir()
    assert read_settings(tmp_path, "study", "generators") == {}
    with pytest.raises(UserError, match="files that are not a comparison's"):
        read_settings(tmp_path, "comparison", "runs")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        read_settings(tmp_path / "file", "study", "generators")


def test_processes_of_torchrun_hold_a_folder_together_and_nobody_else_does(tmp_path):
    with held(tmp_path, Shard(0, 2)):
        with held(tmp_path, Shard(1, 2)):
            assert {path.name for path in (tmp_path / PROCESSES).iterdir()} == {"0", "1"}
        with pytest.raises(UserError, match="at work"), held(tmp_path):
            pass
    with held(tmp_path), pytest.raises(UserError, match="at work"), held(tmp_path):
        pass
