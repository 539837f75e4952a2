"""The house: twelve rooms, imports go one way between them, and there is one door."""

import ast
import dataclasses
import inspect
import statistics
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import kwant_curl

PACKAGE = Path(kwant_curl.__file__).parent

# What each room may know.  Every room stands below those that it knows.
ROOMS = {
    "support": (),
    "algebra": ("support",),
    "model": ("support", "algebra"),
    "coordinates": ("support", "algebra", "model"),
    "materials": ("support", "algebra", "model", "coordinates"),
    "electrons": ("support", "algebra", "model", "coordinates"),
    "results": ("support", "algebra"),
    "vibrations": ("support", "algebra", "model", "coordinates", "results"),
    "studies": (
        "support",
        "algebra",
        "model",
        "coordinates",
        "electrons",
        "results",
        "vibrations",
        "routines",
    ),
    "plotting": ("support", "algebra", "model", "results", "vibrations", "studies"),
    "motion": (
        "support",
        "algebra",
        "model",
        "coordinates",
        "electrons",
        "results",
        "vibrations",
        "routines",
    ),
    "devices": (
        "support",
        "algebra",
        "model",
        "coordinates",
        "electrons",
        "results",
        "routines",
        "studies",
    ),
}
ROUTINES = ("maps", "response", "flow", "emission", "noise")
KNOWN_TO_ROUTINES = ("support", "algebra", "model", "coordinates", "electrons", "results")
DOORS = ("__init__", "__main__")

ARRAYS_ONLY = ("support", "algebra", "results")
MATPLOTLIB = ("plotting", "devices")

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "routines" if first in ROUTINES else first


@cache
def imports(path, *, for_types=False):
    """Return what a file imports, also inside functions; `for_types`: and for type checkers."""
    return tuple(imports_of(path, for_types))


def imports_of(path, for_types):
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not for_types:
            skipped.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path.name}"
            yield from [
                f"{node.module}.{alias.name}" if node.module == "kwant_curl" else node.module
                for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            yield from [alias.name for alias in node.names]


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


def test_twelve_rooms_and_the_doors():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(ROOMS)
    assert len(folders) <= 12
    assert {path.stem for path in PACKAGE.glob("*.py")} == {*ROUTINES, *DOORS}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_knows(room):
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text()))
    sentence, *rest = text.split("\n\n")
    assert sentence.endswith(".")
    said = " ".join(rest)
    assert all(f"`{other}`" in said for other in ROOMS[room] if other != "routines"), said


def test_rooms_stand_in_an_order():
    above = ["routines"]
    for room, known in ROOMS.items():
        assert set(known) <= set(above), room
        above.append(room)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    room = room_of(path)
    if room in DOORS:
        return
    allowed = {room, *(KNOWN_TO_ROUTINES if room == "routines" else ROOMS[room])}
    for name in imports(path, for_types=True):
        if name.startswith("kwant_curl."):
            other = name.split(".")[1]
            other = "routines" if other in ROUTINES else other
            assert other in allowed, f"{path.name} in {room} imports {name}"
            assert (other, room) != ("routines", "routines"), "routines don't know each other"
        top = name.split(".")[0]
        if room in ARRAYS_ONLY and name not in imports_for_types(path):
            assert top not in ("kwant", "tinyarray"), f"{room} imports {name}"
        if room not in MATPLOTLIB and name not in imports_for_types(path):
            assert top != "matplotlib", f"{room} imports {name}"


def imports_for_types(path):
    return set(imports(path, for_types=True)) - set(imports(path))


def test_no_circle_between_files():
    """Not inside of a room either, and not inside of functions."""
    names = {
        ".".join(["kwant_curl", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
            ".__init__"
        ): path
        for path in FILES
    }
    known = {
        name: {other for other in imports(path) if other in names and other != name}
        for name, path in names.items()
    }
    while known:
        free = [name for name, others in known.items() if not others & known.keys()]
        assert free, f"a circle among {sorted(known)}"
        for name in free:
            del known[name]


def test_modules_are_short_and_functions_fit_a_screen():
    lengths = [len(path.read_text().splitlines()) for path in FILES]
    assert statistics.median(lengths) < 150
    for path in FILES:
        for node in functions(path):
            documented = ast.get_docstring(node) is not None
            body = node.body[1:] if documented and len(node.body) > 1 else node.body
            n_lines = node.end_lineno - body[0].lineno + 1
            assert n_lines <= 50, f"{path.name}: {node.name} has {n_lines} lines"


def test_few_values_are_passed_on():
    """Six beside the subject; only what users call takes more, by keyword."""
    for path in FILES:
        for node in functions(path):
            public = node.name in kwant_curl.__all__ or path.parent.name in ("plotting", "command")
            if public or node.args.kwonlyargs:
                continue
            named = [a.arg for a in node.args.posonlyargs + node.args.args]
            n_values = len([name for name in named if name not in ("self", "cls")])
            compiled = any("compiled" in ast.unparse(d) for d in node.decorator_list)
            assert n_values <= 7 or compiled, f"{path.name}: {node.name} takes {named}"


def test_the_picture_of_the_house_is_todays():
    """Made by docs/house.py from the code."""
    spec = spec_from_file_location("house", Path(__file__).parents[1] / "docs" / "house.py")
    house = module_from_spec(spec)
    spec.loader.exec_module(house)
    rooms = house.rooms()
    assert house.PICTURE.read_text() == house.picture(rooms), "run: python docs/house.py"
    assert len(rooms) == len(ROOMS) + 1
    known = {name: set(ROOMS.get(name, KNOWN_TO_ROUTINES)) for name in rooms}
    assert all(room.knows <= known[name] for name, room in rooms.items())


def test_one_door():
    public = set(kwant_curl.__all__)
    assert sorted(public) == sorted(kwant_curl.__all__)
    submodules = {path.stem for path in PACKAGE.iterdir()}
    bound = {name for name in vars(kwant_curl) if not name.startswith("_")} - submodules
    bound |= set(kwant_curl._OF_ASE)  # imported when somebody asks for them
    assert bound == public - submodules


# Of all results, and said once.
ORIGIN = ("_", "params", "version", "seconds")


def test_public_names_say_what_they_do():
    for name in kwant_curl.__all__:
        thing = getattr(kwant_curl, name)
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing):
            members = [m for m in vars(thing).values() if inspect.isfunction(m)]
            public = [m for m in members if not m.__name__.startswith("_")]
            assert all(inspect.getdoc(m) for m in public), name
            if dataclasses.is_dataclass(thing):
                doc = inspect.getdoc(thing)
                fields = [f.name for f in dataclasses.fields(thing)]
                assert all(field in doc for field in fields if field not in ORIGIN), name
