"""The verdict on an evaluation: every case, and that its numbers are in its rows."""

import pytest

from hqgan.evaluation.verdict import verdict_of
from hqgan.metrics.record import MetricRow


def distance(extractor, normalised, half=0.1):
    """A kernel distance on a scale from 0.1 (real) to 0.3 (baseline)."""
    value, low, high = (0.1 + 0.2 * x for x in (normalised, normalised - half, normalised + half))
    return MetricRow("kd", extractor, value=value, low=low, high=high, real_reference=0.1, baseline=0.3,
                     normalised=normalised, n=100)  # fmt: skip


def repeats(share):
    return MetricRow(
        "near_duplicates", "derm", value=share, low=share - 0.02, high=share + 0.02, real_reference=0.01, n=100
    )


def spaces(*values):
    return [distance(name, x) for name, x in zip(("derm", "early", "middle", "untrained"), values, strict=True)]


@pytest.mark.parametrize(
    ("rows", "level", "sentence"),
    [
        ([*spaces(2, 3, 0.5, 1.5), repeats(0.01)], "bad",
         "Worse than the simple baseline in 3 of 4 feature spaces: train longer; do not use these images."),
        ([*spaces(2, 3, 5, 1.5), repeats(0.4)], "bad", "Worse than the simple baseline in all 4 feature spaces, and 40% of the "
         "images nearly repeat another (real images: 1%): train longer; do not use these images."),
        ([*spaces(0.1, 0.2, 0.1, 0.3), repeats(0.4)], "bad",
         "Too little variety: 40% of the images nearly repeat another (real images: 1%). Train longer or on more images; do not "
         "use these images."),
        ([*spaces(0.1, 0.95, 0.1, 0.3), repeats(0.02)], "unclear",
         "Not clearly better than the simple baseline in 1 of 4 feature spaces: train longer, or measure with more test images, "
         "before you use these images."),
        ([*spaces(0.1, 0.2, 0.1, 0.3), repeats(0.02)], "good", "Better than the simple baseline in all 4 feature spaces: before "
         "you use these images, test them for copies (hqgan audit) and their use for a classifier (hqgan study)."),
        ([distance("derm", 1.2)], "bad", "Worse than the simple baseline in the one feature space that could be measured (derm): "
         "train longer; do not use these images."),
        ([MetricRow("kd", "derm", reason="3 images are too few for a distance; 4 are needed", n=3)], "none",
         "No verdict: 3 images are too few for a distance; 4 are needed."),
        ([], "none", "No verdict: no distance was measured."),
    ],
)  # fmt: skip
def test_the_verdict_s_sentence(rows, level, sentence):
    # Spaces that rank corruptions wrongly, and rows of single classes, have no say.
    silent = [distance("late", 9), MetricRow("kd", "derm", "nevus", value=9, normalised=9)]
    found = verdict_of([*rows, *silent])
    assert (found.level, found.sentence) == (level, sentence)
    assert len(found.rows) == len(rows)


def test_the_rows_have_the_sentence_s_numbers():
    found = verdict_of([*spaces(2, 3, 0.5, 1.5), repeats(0.4), MetricRow("kd", "inception", reason="no weights")])
    assert found.rows[0] == ["Distance (derm)", "2.00", "[1.90, 2.10]", "0", "1"]
    assert found.rows[-1] == ["Nearly repeated images", "40%", "[38%, 42%]", "1%", "-"]
    assert sum(float(row[1]) >= 1 for row in found.rows[:-1]) == 3
