"""Pictures as inline SVG that takes its colours from the page, so it is legible light and dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from forecast.drawing import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CSS_COLOURS", "INK", "inline"]

# Colours no picture would use by itself: each is replaced by a CSS variable of the page.
INK = Palette(
    ink="#010101",
    muted="#020202",
    faint="#030303",
    accent="#040404",
    base="#050505",
    paper="#060606",
)
CSS_COLOURS: Mapping[str, str] = {
    INK.ink: "var(--ink)",
    INK.muted: "var(--muted)",
    INK.faint: "var(--rule)",
    INK.accent: "var(--accent)",
    INK.base: "var(--base)",
    INK.paper: "var(--paper)",
}

_COLOUR = re.compile("|".join(CSS_COLOURS))
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_SIZE = re.compile(r'<svg[^>]*?viewBox="([^"]+)"[^>]*>')
_META = re.compile(r"<metadata>.*?</metadata>\s*|<style[^>]*>.*?</style>\s*", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_GROUP = re.compile(r'<g id="[A-Za-z]+[A-Za-z0-9]*_[^"]*">')
_FAMILY = re.compile(r"font-family: [^;\"]*; |(?<=\") transform=\"rotate\(-0 [^)]*\)\"")
_ID = re.compile(r'(id="|href="#|url\(#)')


def inline(figure: Figure, name: str, slug: str) -> Markup:
    """Return a figure as inline SVG with an accessible name.

    Parameters
    ----------
    figure
        Figure drawn with the palette :data:`INK`.
    name
        What the picture says, read aloud in its place.
    slug
        Prefix of the identifiers inside the picture, different for each picture of a page.

    Returns
    -------
    markupsafe.Markup
        SVG without date, metadata or global styles; colours are variables of the page.
    """
    import matplotlib as mpl

    out = io.StringIO()
    fixed: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "tocsin"}
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context(fixed), warnings.catch_warnings():
        # A letter the drawing font lacks is measured wrongly but shown by the reader's font.
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing from font", category=UserWarning
        )
        figure.savefig(
            out,
            format="svg",
            transparent=True,
            metadata=nothing,
            bbox_inches="tight",
            pad_inches=0.03,
        )
    return Markup(_clean(out.getvalue(), name, slug))  # noqa: S704 - matplotlib escapes its texts


def _clean(svg: str, name: str, slug: str) -> str:
    body = _META.sub("", _COMMENT.sub("", _HEAD.sub("", svg)))
    body = body.replace("xlink:href", "href").replace("<defs>\n  \n </defs>", "")
    body = _COLOUR.sub(lambda match: CSS_COLOURS[match[0]], body)
    body = _FAMILY.sub("", _GROUP.sub("<g>", body))
    body = _ID.sub(lambda match: f"{match[0]}{slug}-", body)
    box = _SIZE.search(body)
    if box is None:  # pragma: no cover - matplotlib always writes a view box
        raise ValueError("no view box in the picture")
    head = f'<svg class="pic" role="img" aria-label="{escape(name)}" viewBox="{box[1]}">'
    return _SIZE.sub(lambda _: head, body, count=1).strip()
