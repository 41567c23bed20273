"""Pages that need nothing but a browser: their style, their tables, and the whole."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

STYLE = """
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:#222;
background:#fff;max-width:1040px;margin:2.5rem auto;padding:0 1.25rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.4rem 0 .6rem}
.lead{font-size:1.2rem;line-height:1.45;margin:.4rem 0 1rem}
.verdict{background:#f3f6f9;border-left:4px solid #1f6fb4;padding:.6rem .9rem}
.bad{border-color:#b22222;background:#fbf0f0}
.kept{border-color:#b8860b;background:#fbf8ef}
table{border-collapse:collapse;margin:.6rem 0;width:100%}
td:first-child{white-space:nowrap}
th,td{padding:.35rem .7rem;border-bottom:1px solid #e4e4e4;text-align:left;
vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.w{color:#666;font-size:.9rem}figure{margin:1rem 0 1.6rem}
figcaption{color:#555;font-size:.92rem;margin-bottom:.4rem}
img{max-width:100%;height:auto;display:block}[hidden]{display:none!important}
pre{background:#f6f6f6;padding:.8rem 1rem;overflow-x:auto;font-size:.88rem}
dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1.2rem;color:#444}
.r{color:#d9621e;font-weight:600}.l{color:#1f6fb4;font-weight:600}
.small{color:#666;font-size:.9rem}
.stage{display:flex;gap:1rem;align-items:center}
.stage .plot{flex:1 1 auto;min-width:0;height:420px}
.stage img{flex:0 0 auto;max-width:34%;max-height:420px}
.bench{display:flex;gap:.8rem;align-items:center;margin:.3rem 0}
.bench input{flex:1 1 auto}.bench .at{min-width:11rem}
"""
SIDES = (
    '<span class="r">Orange</span> is the person\'s right side, '
    '<span class="l">blue</span> the left.'
)


def text(value: object) -> str:
    """Returns a value as text that HTML takes for nothing else."""
    return html.escape(str(value))


def counted(number: int, word: str) -> str:
    """Returns a number of things or people in words: `1 pose`, `2 people`."""
    many = "people" if word == "person" else f"{word}s"
    return f"{number} {word if number == 1 else many}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of escaped cells: words left, numbers right, the last column in grey."""

    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = ["", *["n"] * (len(row) - 2), "w"]
        return "".join(
            f'<{tag} class="{kind}">{text(cell)}</{tag}>'
            for kind, cell in zip(kinds, row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', head)}</tr>{body}</table>"


def picture(png: bytes, caption: str) -> str:
    """A PNG file under its caption."""
    data = base64.b64encode(png).decode()
    return (
        f"<figure><figcaption>{text(caption)}</figcaption>"
        f'<img alt="{text(caption)}" src="data:image/png;base64,{data}"></figure>'
    )


def document(title: str, parts: Sequence[str]) -> str:
    """The whole page.

    Args:
        title: heading, and name of the window.
        parts: HTML, one after the other; empty ones are left out.
    """
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{text(title)}</h1>\n{body}</body></html>\n"
    )
