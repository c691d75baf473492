"""Pictures of the page for the documentation: `page_pictures.py http://127.0.0.1:7860 docs/images --class nevus`.

Of a page that `hqgan serve` shows, at 1440 and 390 pixels, light and dark: the first view of a class, in 128 colours. Every other
view goes to --views as well, to be looked at before a release.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SIZES = {1440: 900, 390: 844}
OTHERS = {
    "Between two": "Frame", "Nearest real": "Real training image", "Circuit": "exact simulator", "Two runs": "Generated",
    "Training": "Losses",
}  # fmt: skip
"""Views, and what their pictures are called."""


def save(page: Page, path: Path, whole: bool) -> None:
    picture = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url")
    parser.add_argument("out", type=Path)
    parser.add_argument("--class", dest="name", required=True)
    parser.add_argument("--views", type=Path)
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for width, height in SIZES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = context.new_page()
                page.goto(options.url)
                page.get_by_role("radio", name=options.name).check(force=True)
                page.locator(f'img[alt="Generated {options.name}, image 15"]').wait_for()
                page.wait_for_timeout(600)
                save(page, options.out / f"page-{width}-{scheme}.png", False)
                for view, words in OTHERS.items() if options.views else ():
                    page.get_by_role("radio", name=view).check(force=True)
                    page.locator(f'#hq-stage img[alt*="{words}"]').first.wait_for()
                    page.wait_for_timeout(1000)
                    save(page, options.views / f"{view.lower().replace(' ', '-')}-{width}-{scheme}.png", True)
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
