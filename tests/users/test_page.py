"""What visitors of the page see before the first answer, behind a proxy, and on a phone."""

import http.client
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the page is looked at by playwright")
pytest.importorskip("gradio", reason="the page needs gradio")

TURNING = """document.querySelector('#hq-stage').getAnimations({subtree: true})
    .filter((one) => one.effect.getTiming().iterations === Infinity).length > 0"""


@pytest.fixture(scope="module")
def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_api.sync_playwright() as playwright:
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("there is no Chromium on this machine")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def serving(*arguments):
    """The address of a page that a process of its own serves."""
    command = [sys.executable, "-m", "hqgan", "serve", *map(str, arguments), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            yield next((found.group() for line in server.stdout if (found := re.search(r"http://[\d.:]+", line))), None)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)


@pytest.fixture(scope="module")
def address(tiny_run):
    with serving(tiny_run, tiny_run) as found:
        yield found


@pytest.fixture
def tab(chromium):
    """A tab, and what went wrong in it: errors of the console, answers that are refused."""
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    yield page, wrong
    context.close()


def test_the_first_images_come_with_the_page(tab, address):
    page, _ = tab
    page.route("**/queue/**", lambda route: route.abort())
    page.goto(address)
    page.wait_for_selector(".hq-grid img", timeout=20000)
    assert page.locator(".hq-grid img").count() == 16


def test_something_turns_while_an_answer_is_computed(tab, address):
    page, _ = tab
    page.goto(address)
    page.wait_for_selector(".hq-grid img")
    held = []
    page.route("**/queue/data*", lambda route: held.append(route))
    page.get_by_label("Seed").fill("7")
    page.wait_for_function(TURNING, timeout=20000)
    for route in held:
        route.abort()


def test_the_area_of_a_run_in_training_is_not_empty_before_its_curves(tab, tiny_run, tmp_path):
    run = tmp_path / "growing"
    run.mkdir()
    shutil.copy(tiny_run / "config.json", run)
    page, _ = tab
    held = []
    page.route("**/queue/data*", lambda route: held.append(route))
    with serving(run) as address:
        page.goto(address)
        page.wait_for_selector("#hq-stage", state="attached")
        page.wait_for_timeout(1000)
        assert page.locator("#hq-stage").bounding_box()["height"] >= 200
        assert page.locator("#hq-stage").inner_text().strip()
        assert page.evaluate(TURNING)
        for route in held:
            route.abort()


class Proxy(BaseHTTPRequestHandler):
    """Shows under /x what another server has at its root; nothing else is there."""

    upstream = ""

    def log_message(self, *arguments):
        """Log nothing."""

    def _pass_on(self):
        if not self.path.startswith("/x/"):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("connection", "host")}
        headers |= {"Host": self.upstream, "X-Forwarded-Host": self.headers["Host"]}
        with closing(http.client.HTTPConnection(self.upstream)) as connection:
            connection.request(self.command, self.path.removeprefix("/x"), body, headers)
            answer = connection.getresponse()
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(key, value)
            self.end_headers()
            with suppress(OSError):  # the tab is closed
                while part := answer.read1(65536):
                    self.wfile.write(part)
                    self.wfile.flush()

    do_GET = do_POST = _pass_on  # noqa: N815


def test_behind_a_proxy_the_page_loads_whole_and_works(tab, tiny_run, monkeypatch):
    page, wrong = tab
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        with serving(tiny_run, "--root-path", "/x") as address:
            assert address, "the option is not known"
            monkeypatch.setattr(Proxy, "upstream", address.removeprefix("http://"))
            page.goto(f"http://127.0.0.1:{proxy.server_port}/x/")
            page.wait_for_selector(".hq-grid img")
            first = page.locator("#hq-stage img").first.get_attribute("src")
            page.get_by_label("Seed").fill("7")
            page.wait_for_function("before => document.querySelector('#hq-stage img').src !== before", arg=first)
            assert wrong == []
            page.goto("about:blank")
    finally:
        proxy.shutdown()
        proxy.server_close()


def test_a_root_path_that_is_none_is_refused(hqgan, tiny_run):
    code, _, err = hqgan("serve", tiny_run, "--root-path", "lesions?", "--port", "0")
    assert code == 2
    assert "--root-path 'lesions?' is not a path such as /lesions" in err


def test_no_view_of_the_page_is_wider_than_a_phone(tab, address):
    page, _ = tab
    page.goto(address)
    page.wait_for_selector(".hq-grid img")
    for view, there in (
        ("Between two", ".hq-grid img[alt^=Frame]"),
        ("Nearest real", ".hq-pairs img"),
        ("Circuit", ".hq-figure"),
        ("Two runs", ".hq-two img"),
        ("Training", ".hq-curves img"),
        ("Images", ".hq-grid button img"),
    ):
        page.get_by_role("radio", name=view).check(force=True)
        page.wait_for_selector(there)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, view
