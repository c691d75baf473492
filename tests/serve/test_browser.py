"""The page as people use it, in headless Chromium."""

import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hqgan.sampling.generate import generate
from hqgan.sampling.load import load

sync_api = pytest.importorskip("playwright.sync_api", reason="the page is looked at by playwright")
pytest.importorskip("gradio", reason="the page needs gradio")


@pytest.fixture(scope="module")
def growing(tiny_run, tmp_path_factory):
    """A run in training, before its first checkpoint."""
    run = tmp_path_factory.mktemp("runs") / "growing"
    run.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        shutil.copy(tiny_run / name, run)
    return run


@pytest.fixture(scope="module")
def page_of(tiny_run, growing):
    """Where the tiny run is served twice over, and one that is in training, by a process of its own."""
    command = [sys.executable, "-m", "hqgan", "serve", *map(str, (tiny_run, tiny_run, growing)), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        line = server.stdout.readline()
        yield re.search(r"http://\S+", line).group()
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert server.stdout.read() == "Ended.\n"


@pytest.fixture(scope="module")
def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_api.sync_playwright() as playwright:
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("there is no Chromium on this machine")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, page_of):
    """Open tabs; whatever a tab complains of, and wherever it asks, is looked at in the end."""
    complaints, asked, opened = [], [], []

    def new(width=1440, scheme="light"):
        context = chromium.new_context(viewport={"width": width, "height": 860}, color_scheme=scheme)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_of)
        page.wait_for_selector(".hq-grid img")
        return page

    yield new
    for context in opened:
        context.close()
    assert complaints == []
    assert {urlsplit(url).hostname for url in asked if not url.startswith("data:")} == {"127.0.0.1"}


def sources(page):
    return page.locator("#hq-stage img").evaluate_all("images => images.map((image) => image.src)")


def changed(page, before):
    page.wait_for_function(
        "before => { const now = [...document.querySelectorAll('#hq-stage img')].map((i) => i.src);"
        " return now.length && JSON.stringify(now) !== before; }",
        arg=before,
    )
    return sources(page)


def after(page, act):
    """The pictures once an act has changed them."""
    before = page.evaluate("JSON.stringify([...document.querySelectorAll('#hq-stage img')].map((i) => i.src))")
    act()
    return changed(page, before)


def seed(page, text):
    return after(page, lambda: page.get_by_label("Seed").fill(text))


def test_a_class_a_seed_and_the_same_again(tab):
    page = tab()
    assert "Not for diagnosis." in page.locator("header").inner_text()
    nevus = after(page, lambda: page.get_by_role("radio", name="nevus").check(force=True))
    assert len(nevus) == len(set(nevus)) == 16
    other = seed(page, "1")
    assert len(other) == 16
    assert not set(other) & set(nevus)
    assert seed(page, "0") == nevus


def test_two_tabs_do_not_disturb_each_other(tab):
    one, two = tab(), tab()
    mine = sources(one)
    theirs = seed(two, "5")
    assert sources(one) == mine != theirs
    one.get_by_role("button", name="New seed").click()
    one.wait_for_function("before => document.querySelector('#hq-stage img').src !== before", arg=mine[0])
    assert sources(two) == theirs


@pytest.mark.slow
def test_the_zip_is_what_this_tab_shows(tab, tiny_run, tmp_path):
    page, other = tab(), tab()
    seed(other, "8")
    seed(page, "3")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as zip").click()
    download.value.save_as(tmp_path / "images.zip")
    loaded = load(tiny_run)
    generate(loaded, {loaded.classes[0]: 16}, tmp_path / "out", seed=3)
    with zipfile.ZipFile(tmp_path / "images.zip") as found:
        pictures = [name for name in found.namelist() if name.endswith(".png")]
        assert len(pictures) == 16
        assert all(found.read(name) == (tmp_path / "out" / name).read_bytes() for name in pictures)
        assert "manifest.csv" in found.namelist()


def test_what_is_refused_is_a_sentence_on_the_page(tab):
    page = tab()
    page.get_by_label("Seed").fill("no seed")
    sentence = page.get_by_role("alert").filter(has_text="The seed has to be a whole number")
    sentence.wait_for()
    page.get_by_label("Seed").fill("2")
    page.wait_for_selector(".hq-grid img")


@pytest.mark.slow
def test_every_view_by_keyboard(tab):
    page = tab()
    page.locator(".hq-grid button").nth(2).focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Readouts of this image").wait_for()
    assert page.get_by_role("radio", name="Circuit").is_checked()
    assert page.get_by_label("Image", exact=True).input_value() == "2"
    for view, words in (
        ("Between two", "Frame 8 of 8"),
        ("Nearest real", "Real training image nearest to image 0"),
        ("Two runs", "Generated"),
        ("Training", "Losses"),
    ):
        page.get_by_role("radio", name=view).focus()
        page.keyboard.press("Space")
        page.locator(f'#hq-stage img[alt*="{words}"]').first.wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_down_only(tab, scheme):
    page = tab(390, scheme)
    assert page.evaluate("document.body.classList.contains('dark')") is (scheme == "dark")
    for view in ("Images", "Circuit", "Training"):
        page.get_by_role("radio", name=view).check(force=True)
        page.wait_for_selector("#hq-stage img")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.locator("#hq-views label, #hq-class label, button.lg").evaluate_all(
        "all => all.filter((one) => one.getBoundingClientRect().height < 40).length"
    )
    assert small == 0


def choose(page, label, option):
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option).click()


@pytest.mark.slow
def test_curves_of_a_run_in_training_grow(tab, growing):
    page = tab()
    choose(page, "Run", "growing")
    page.get_by_role("alert").filter(has_text="growing has no checkpoint yet").wait_for()
    page.get_by_role("radio", name="Training").check(force=True)
    page.get_by_text("growing: 64 real images shown so far").wait_for()
    with (growing / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train", "step": 9, "images": 72, "loss/critic": 1.0, "loss/generator": 2.0}\n')
    page.get_by_text("growing: 72 real images shown so far").wait_for()
    choose(page, "Run", "tiny (2)")
    page.get_by_text("tiny (2): 64 real images shown so far").wait_for()
