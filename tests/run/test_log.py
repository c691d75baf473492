from hqgan.run.log import read_lines


def test_a_line_that_is_still_being_written_is_left_out(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"images": 1}\n{"images"')
    assert read_lines(tmp_path / "m.jsonl") == [{"images": 1}]
    assert read_lines(tmp_path / "none.jsonl") == []
