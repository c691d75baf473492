import numpy as np
import pytest

from hqgan.config import preset
from hqgan.errors import UserError
from hqgan.models.build import build_generator
from hqgan.sampling.load import Loaded
from hqgan.serve.images import drawing, image_on, images, noise, readouts


@pytest.fixture
def row(served):
    return noise(served[0].loaded, "nevus", 0, 1, 1.0)[0]


def test_readouts_are_one_row_a_circuit_and_change_with_the_image(served, row):
    loaded = served[0].loaded
    (found,) = readouts(loaded, "nevus", row)
    ansatz = loaded.generator.circuits[0].ansatz
    assert found.shape == (len(loaded.generator.circuits[0].weights), ansatz.readouts)
    assert np.abs(found).max() <= 1
    (again,) = readouts(loaded, "nevus", row)
    np.testing.assert_array_equal(found, again)
    (other,) = readouts(loaded, "nevus", noise(loaded, "nevus", 1, 1, 1.0)[0])
    assert np.abs(found - other).max() > 1e-3


def test_shots_scatter_readouts_and_the_image(served, row):
    pytest.importorskip("qiskit_aer")
    loaded = served[0].loaded
    exact = images(loaded, "nevus", row[None])[0]
    few = image_on(loaded, "nevus", row, "aer", 16, exact)
    many = image_on(loaded, "nevus", row, "aer", 4096, exact)
    assert few.image.shape == exact.shape
    assert 0 < many.mean < 0.25 * few.mean
    assert few.mean <= few.largest <= 2
    assert many.grey_levels < few.grey_levels


def test_the_drawing_is_a_picture_and_a_text(served):
    svg, text = drawing(served[0].loaded.generator.circuits[0].ansatz)
    assert b"<svg" in svg
    assert text.count("q0") == 1


def test_what_takes_too_long_or_has_no_circuit_is_a_sentence(served, row):
    def other(name, **changes):
        config = preset(name, changes)
        return Loaded(build_generator(config, 7).eval(), config, served[0].loaded.classes, served[0].folder, "0", {})

    with pytest.raises(UserError, match="16 qubits take too long for a page; hqgan generate --backend aer runs them"):
        image_on(other("paper"), "nevus", row, "aer", 64, np.zeros(1))
    with pytest.raises(UserError, match="no circuits"):
        image_on(other("dcgan"), "nevus", row, "aer", 64, np.zeros(1))
