"""The site builds without a warning, asks nobody else for anything, and shows what the code has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hqgan.cli.circuits import FIELDS

ROOT = Path(__file__).parents[2]

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
}
"""Elements whose attribute is fetched as a page is shown; links with a rel other than these are not."""
LINKED = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "prefetch", "dns-prefetch", "manifest"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return out


class Fetched(HTMLParser):
    """Addresses that a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in LOADED:
            self.found.append(given.get(LOADED[tag]) or "")
        if tag == "link" and LINKED & set((given.get("rel") or "").split()):
            self.found.append(given.get("href") or "")
        self.found += re.findall(r"url\(([^)]*)\)", given.get("style") or "")


def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text()
        fetched = Fetched()
        fetched.feed(text)
        outside = [a for a in fetched.found if re.match(r"([a-z]+:)?//", a.strip("'\" "))]
        assert not outside, f"{page.relative_to(site)} fetches {outside}"
        assert not re.search(r"import\s*\(?\s*[\"']https?:", text), f"{page.relative_to(site)} imports a script"
        assert 'class="mermaid"' not in text, (
            "the theme draws mermaid by a script from elsewhere: draw it in website/pictures.py"
        )
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?([a-z]+:)?//", sheet.read_text()), sheet


def test_commands_and_api_are_there(site):
    commands = (site / "cli" / "index.html").read_text()
    for anchor in ("hqgan-train", "hqgan-data-inspect", "hqgan-circuits-gradients", "hqgan-push"):
        assert f'id="{anchor}"' in commands
    for option in FIELDS["hybrid"]:
        assert option in commands
    api = (site / "api" / "index.html").read_text()
    for name in ("hqgan.api.train", "hqgan.circuits.ansatz.Ansatz", "hqgan.config.sections.TrainingConfig"):
        assert f'id="{name}"' in api
    assert "lr_circuit" in api, "fields of the config are listed"
    assert "Keep a Changelog" in (site / "changelog" / "index.html").read_text()


def test_pictures_are_those_of_their_script(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "website")
    import pictures

    for name, draw in pictures.DRAWN.items():
        assert (pictures.IMAGES / name).read_text() == draw(), f"{name} is another: make pictures"
