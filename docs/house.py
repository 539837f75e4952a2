"""Draw the rooms of the package, and which knows which, from the code: python docs/house.py."""

import ast
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "kwant_curl"
PICTURE = HERE / "images" / "house.svg"

WIDTH, HEIGHT, GAP, MARGIN = 340, 74, 56, 20


class Room(NamedTuple):
    """A folder of the package, or the routines at its top."""

    sentence: str
    n_modules: int
    knows: frozenset[str]


def rooms() -> dict[str, Room]:
    """Return the rooms as the code has them: the first sentence, the modules, the imports."""
    found = {}
    for folder in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        files = sorted(folder.rglob("*.py"))
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
        found[folder.name] = Room(text.split("\n")[0], len(files), _known(files) - {folder.name})
    routines = [p for p in PACKAGE.glob("*.py") if not p.name.startswith("__")]
    names = ", ".join(sorted(p.stem for p in routines))
    found["routines"] = Room(
        f"What users call, each a page of the paper: {names}.", len(routines), _known(routines)
    )
    return found


def _known(files: list[Path]) -> frozenset[str]:
    """Return the rooms that files import from."""
    names = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kwant_curl."):
                names.add(node.module.split(".")[1])
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return frozenset(name if name in folders else "routines" for name in names)


def levels(house: dict[str, Room]) -> dict[str, int]:
    """Return the floor of each room: one above the highest of those that it knows."""
    result: dict[str, int] = {}
    while len(result) < len(house):
        ready = [
            name
            for name, room in house.items()
            if name not in result and room.knows <= result.keys()
        ]
        if not ready:
            raise ValueError(f"A circle among {sorted(house.keys() - result.keys())}.")
        for name in ready:
            result[name] = 1 + max((result[known] for known in house[name].knows), default=-1)
    return result


def arrows(house: dict[str, Room]) -> list[tuple[str, str]]:
    """Return who knows whom, without what follows from other arrows."""
    below: dict[str, frozenset[str]] = {}
    for name in sorted(house, key=levels(house).__getitem__):
        known = house[name].knows
        below[name] = known.union(*(below[other] for other in known))
    return [
        (name, known)
        for name, room in house.items()
        for known in sorted(room.knows)
        if not any(known in below[other] for other in room.knows)
    ]


def picture(house: dict[str, Room]) -> str:
    """Return the house as SVG."""
    floor = levels(house)
    rows = [
        [name for name in house if floor[name] == level] for level in range(max(floor.values()) + 1)
    ]
    width = 2 * MARGIN + GAP + max(map(len, rows)) * (WIDTH + GAP) - GAP
    height = 2 * MARGIN + len(rows) * (HEIGHT + GAP) - GAP
    corner: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        row.sort(key=lambda name: _mean([corner[other][0] for other in house[name].knows]))
        top = MARGIN + (len(rows) - 1 - level) * (HEIGHT + GAP)
        for place, name in enumerate(row):
            corner[name] = MARGIN + place * (WIDTH + GAP), top
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *(_arrow(*corner[name], *corner[known]) for name, known in arrows(house)),
        *(_box(name, house[name], *corner[name]) for name in house),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _mean(places: list[float]) -> float:
    return sum(places) / max(1, len(places))


def _arrow(x: float, y: float, x_known: float, y_known: float) -> str:
    """Return an arrow from a room down to one that it knows; past those between, on a bow."""
    if y_known - y - HEIGHT <= GAP:
        path = f"M{x + WIDTH / 2:g} {y + HEIGHT:g}L{x_known + WIDTH / 2:g} {y_known:g}"
    else:
        # To the nearer side, through the free space between the columns or beside them.
        left, right = x + WIDTH, x_known if x_known > x else x_known + WIDTH
        bend = left + (0.5 if x_known > x else 1.2) * GAP
        top, bottom = y + HEIGHT / 2, y_known + HEIGHT / 2
        path = f"M{left:g} {top:g}C{bend:g} {top:g} {bend:g} {bottom:g} {right:g} {bottom:g}"
    return f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>'


def _box(name: str, room: Room, x: float, y: float) -> str:
    lines = wrap(room.sentence.replace("`", ""), 50)
    text = "".join(
        f'<text x="{x + 10:g}" y="{y + 38 + 14 * n:g}" font-size="11.5">{escape(line)}</text>'
        for n, line in enumerate(lines)
    )
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#f4f1ea" '
        f'stroke="#555"/><text x="{x + 10:g}" y="{y + 20:g}" font-size="15" font-weight="bold">'
        f'{escape(name)}</text><text x="{x + WIDTH - 10:g}" y="{y + 20:g}" font-size="11" '
        f'text-anchor="end" fill="#777">{room.n_modules} modules</text>{text}'
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(rooms()))
    print(f"{PICTURE.name}: {len(rooms())} rooms, {len(arrows(rooms()))} arrows")
