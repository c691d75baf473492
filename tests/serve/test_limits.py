import pytest

from hqgan.errors import UserError
from hqgan.serve.limits import LARGEST_SEED, number, one_of, whole

ODD = [
    None,
    "",
    "x",
    "1e3",
    "-1",
    "٣",
    "²",
    "0x1",
    "1.5",
    True,
    1.5,
    -1,
    float("nan"),
    float("inf"),
    [],
    {},
    "9" * 5000,
]


@pytest.mark.parametrize("value", [*ODD, 65, 2**63, 10**5000], ids=lambda value: repr(type(value)))
def test_what_is_no_whole_number_in_bounds_is_refused_in_a_sentence(value):
    with pytest.raises(UserError, match=r"The number of images has to be a whole number from 1 to 64, not .{1,60}\.$"):
        whole(value, "The number of images", 1, 64)


def test_whole_numbers_come_as_sliders_and_texts_send_them():
    assert [whole(v, "x", 0, LARGEST_SEED) for v in (3, 3.0, "3", " 3 ")] == [3] * 4
    assert whole(str(LARGEST_SEED), "x", 0, LARGEST_SEED) == 2**63 - 1
    with pytest.raises(UserError):
        whole(str(2**63), "x", 0, LARGEST_SEED)


@pytest.mark.parametrize("value", [0, 0.09, 1.01, float("nan"), float("-inf"), True, "1", None, [0.5], 10**400])
def test_numbers_out_of_bounds(value):
    with pytest.raises(UserError, match="from 0.1 to 1"):
        number(value, "The truncation", 0.1, 1)
    assert number(0.1, "x", 0.1, 1) == 0.1
    assert number(1, "x", 0.1, 1) == 1.0


@pytest.mark.parametrize("value", ["b ", "B", None, 1, ["a"], "a" * 10**6])
def test_only_what_is_offered(value):
    with pytest.raises(UserError, match="choose one that the page offers") as error:
        one_of(value, "The class", ("a", "b"))
    assert len(str(error.value)) < 150
    assert one_of("b", "The class", ("a", "b")) == "b"
