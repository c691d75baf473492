import shutil

from hqgan.serve.views import curves


def test_a_run_in_training_has_curves_and_a_torn_line_is_left_out(tiny_run, tmp_path):
    assert curves(tmp_path) == (0, [])
    path = tmp_path / "metrics.jsonl"
    shutil.copy(tiny_run / "metrics.jsonl", path)
    images, pictures = curves(tmp_path)
    assert images == 64
    assert "Losses" in pictures[-1].text
    with path.open("a") as stream:
        stream.write('{"kind": "train", "step": 99, "images": 8')
    assert curves(tmp_path)[0] == 64
    with path.open("a") as stream:
        stream.write('0, "loss/critic": 1.0, "loss/generator": 2.0}\n')
    grown, again = curves(tmp_path)
    assert grown == 80
    assert again[-1].source != pictures[-1].source
