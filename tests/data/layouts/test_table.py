"""The table of layouts: a row for each file, and the sentence that is made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hqgan.data import layouts, open_data
from hqgan.errors import UserError


def test_each_file_has_one_row() -> None:
    files = {path.stem for path in Path(layouts.__file__).parent.glob("*.py")} - {"__init__"}
    modules = [layout.recognise.__module__.rpartition(".")[2] for layout in layouts.LAYOUTS]
    assert sorted(modules) == sorted(files)


def test_the_sentence_names_every_row(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no data set")
    with pytest.raises(UserError) as caught:
        open_data(tmp_path, 16)
    assert all(layout.title in str(caught.value) and layout.sign in str(caught.value) for layout in layouts.LAYOUTS)


def test_a_label_is_refused_where_there_is_only_one(tree: Path) -> None:
    with pytest.raises(
        UserError, match="is not Fitzpatrick17k and the ISIC archive, the data sets with several labels"
    ):
        layouts.recognise(tree, "label")
