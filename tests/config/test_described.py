"""Every field of every preset has a help line."""

import pytest

from hqgan import config
from hqgan.config import described


@pytest.mark.parametrize("name", config.PRESETS)
def test_every_field_has_its_value_and_a_help_line(name):
    rows = described(config.preset(name))
    assert {row.name for row in rows} <= {f.partition(".merge.")[0] for f in config.fields()} | {"data.choice.merge"}
    assert not [row.name for row in rows if not row.help.endswith(".")]
    found = {row.name: row.value for row in rows}
    assert found["preset"] == name
    assert found["data.choice.classes"] == []
    assert found["training.batch"] == config.preset(name).training.batch
