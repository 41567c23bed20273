"""Headless Chromium, and what a page in it tells."""

import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needed = pytest.mark.skipif(
    not CHROMIUM, reason="no Chromium (apt-get install chromium)"
)
# First in a page: what went wrong in it, in `failed`.
CATCH = """<script>window.failed = [];
window.onerror = (text) => failed.push(text);
const before = console.error; console.error = (...args) => failed.push(args.join(" "));
</script>"""
# What a page has loaded from elsewhere.
LOADED = """performance.getEntriesByType("resource").map((e) => e.name)
  .filter((name) => !name.startsWith("data:"))"""


def probe(script):
    """An element that runs `script`, which calls `tell` with what `told` returns."""
    return f"""<pre id="told"></pre><script>
const tell = (told) => {{
  document.querySelector("#told").textContent = JSON.stringify(told);
}};
{script}</script>"""


def told(path):
    """Opens a page and returns what its `probe` told."""
    found = re.search(r'<pre id="told">(.*?)</pre>', browse(path, "--dump-dom"), re.S)
    return json.loads(found[1])


_SCRUB = """
const plot = document.querySelector(".plot"), slider = document.querySelector("input");
const where = () => JSON.stringify(plot.data.map((trace) => trace.x));
const [first, frames] = [where(), Number(slider.max) + 1];
slider.value = slider.max;
slider.dispatchEvent(new Event("input"));
const names = plot.data[plot.data.length - 1].text;
const moved = where() !== first;
const broken = [...document.querySelectorAll("img")].filter(
  (image) => getComputedStyle(image).display !== "none" && !image.naturalWidth).length;
"""


def scrubbed(text, path):
    """Opens a report and moves its slider to the end.

    Args:
        text: the page.
        path: where it is written, ready to be watched.

    Returns:
        `errors` of the console, what was `loaded` from elsewhere, how many `frames` and
        `broken` pictures there are, the `names` of the skeletons, whether they `moved`.
    """
    tell = f"tell({{errors: failed, loaded: {LOADED}, frames, names, moved, broken}});"
    # What the page shows when all of it has been drawn.
    script = f'window.addEventListener("load", () => {{{_SCRUB}{tell}}});'
    head, _, tail = text.partition("<body>")
    text = f"{head}<body>{CATCH}{tail}".replace("</body>", probe(script) + "</body>")
    path.write_text(text, encoding="utf-8")
    return told(path)


def browse(path, *flags):
    """Runs the page in headless Chromium; returns the document as it became."""
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update"),
            # WebGL without a graphics card.
            *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
            *("--virtual-time-budget=20000", "--window-size=1100,760"),
            f"--user-data-dir={path.parent / 'profile'}",
            *flags,
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=400,
    )
    return done.stdout
