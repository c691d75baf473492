import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hqgan.sampling.images import latent_seed
from hqgan.serve import views
from hqgan.serve.images import images, noise


def pictures(html):
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def test_the_grid_holds_the_images_of_class_and_seed(served, asked):
    run, about, more = asked
    html = views.answer(served, "Images", run, about, more)
    wanted = images(served[0].loaded, "nevus", noise(served[0].loaded, "nevus", 0, 4, 1.0))
    np.testing.assert_array_equal(pictures(html), wanted)
    assert 'alt="Generated nevus, image 3"' in html
    assert "nevus, seed 0" in html
    assert views.answer(served, "Images", run, about, more) == html
    assert views.answer(served, "Images", run, ["nevus", "1", 1, 4], more) != html


@pytest.mark.parametrize(("view", "count"), [("Between two", 3), ("Nearest real", 8), ("Circuit", 1)])
def test_every_view_shows_its_pictures(served, asked, view, count):
    html = views.answer(served, view, *asked)
    assert len(pictures(html)) == count
    assert "alert" not in html


def test_training_shows_curves(served, asked):
    html = views.answer(served, "Training", *asked)
    assert "64 real images shown so far" in html
    assert "data:image/svg+xml" in html


def test_two_runs_beside_each_other(served, asked):
    run, about, more = asked
    assert "hqgan serve RUN RUN" in views.answer(served, "Two runs", run, about, more)
    both = [served[0], replace(served[0], name="other")]
    html = views.answer(both, "Two runs", run, about, [*more[:-1], 1])
    assert len(pictures(html)) == 8
    assert "<h2>other</h2>" in html


def test_the_runs_own_audit_flags_at_truncation_1_alone(served, asked):
    run, about, more = asked
    flagged = [replace(served[0], flagged=frozenset({latent_seed(0, "nevus", 2)}))]
    assert views.answer(flagged, "Nearest real", run, about, more).count("the run&#39;s audit") == 1
    assert "the run&#39;s audit" not in views.answer(flagged, "Nearest real", run, ["nevus", "0", 0.9, 4], more)


@pytest.mark.parametrize(
    ("view", "place", "value", "words"),
    [
        ("Images", "run", 1, "A run&#39;s number has to be a whole number from 0 to 0"),
        ("Images", "run", "../../etc", "A run&#39;s number"),
        ("Training", "run", -1, "A run&#39;s number"),
        ("Images", 0, "../nevus", "The class cannot be"),
        ("Images", 0, "<script>", "&lt;script&gt;"),
        ("Images", 1, "-1", "The seed has to be a whole number from 0 to 9,223,372,036,854,775,807"),
        ("Images", 2, 0.0, "The truncation has to be a number from 0.1 to 1"),
        ("Images", 2, float("nan"), "The truncation"),
        ("Images", 3, 65, "The number of images has to be a whole number from 1 to 64"),
        ("Images", 3, 10**9, "The number of images"),
        ("Between two", 4, 4, "An image&#39;s number has to be a whole number from 0 to 3"),
        ("Between two", 6, 17, "The number of frames has to be a whole number from 3 to 16"),
        ("Circuit", 7, 64, "An image&#39;s number"),
        ("Circuit", 8, "ibm:least-busy", "The backend cannot be"),
        ("Circuit", 8, "fake:lima", "The backend cannot be"),
        ("Circuit", 9, 4097, "The number of shots has to be a whole number from 1 to 4,096"),
        ("/etc/passwd", "run", 0, "The view cannot be"),
    ],
)
def test_hostile_values_are_a_sentence(served, asked, view, place, value, words):
    run, about, more = asked
    given = [*about, *more]
    if place == "run":
        run = value
    else:
        given[place] = value
    html = views.answer(served, view, run, given[:4], given[4:])
    assert html.startswith('<p class="hq-refusal" role="alert">')
    assert words in html
    assert len(html) < 400


def test_without_real_images_there_is_the_reason(served, asked):
    html = views.answer([replace(served[0], real="They are elsewhere.")], "Nearest real", *asked)
    assert "They are elsewhere." in html
    assert not pictures(html)
