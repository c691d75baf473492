import pytest
from hostile import attack

pytest.importorskip("gradio", reason="the page needs gradio")


@pytest.mark.slow
def test_the_page_holds(tmp_path):
    lines = []
    assert attack(tmp_path, 100, 1, lines.append) == []
    assert len(lines) == 3
