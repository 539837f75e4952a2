"""Built pages show themselves without a network: what they would load from outside is found."""

import re
from html.parser import HTMLParser
from pathlib import Path

__all__ = ["loaded_from_outside"]

OUTSIDE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
STYLE = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)
LOADING_LINKS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "manifest"}
"""`<link>`s of other relations, such as `canonical`, name a page and load nothing."""


class Page(HTMLParser):
    """Collect the addresses that a browser loads by itself: not those of links to follow."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.addresses: list[str] = []
        self.in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag loads."""
        values = {name: value or "" for name, value in attrs}
        self.in_style = tag == "style"
        loads = [values.get(name, "") for name in ("src", "data", "poster")]
        if tag == "link" and LOADING_LINKS & set(values.get("rel", "").lower().split()):
            loads.append(values.get("href", ""))
        self.addresses += [address for address in loads if OUTSIDE.match(address)]
        self.addresses += STYLE.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Note what a style sheet within the page loads."""
        if self.in_style:
            self.addresses += STYLE.findall(data)


def loaded_from_outside(folder: Path) -> list[str]:
    """Return "page: address" of what the pages and style sheets in `folder` load over a network."""
    found = set()
    for path in sorted(folder.rglob("*.html")):
        page = Page()
        page.feed(path.read_text())
        found |= {f"{path.relative_to(folder)}: {address}" for address in page.addresses}
    for path in sorted(folder.rglob("*.css")):
        for address in STYLE.findall(path.read_text()):
            found.add(f"{path.relative_to(folder)}: {address}")
    return sorted(found)
