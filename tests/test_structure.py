"""The house: imports go up the table of rooms only, and there is one door."""

import ast
import dataclasses
import inspect
from pathlib import Path

import kwant_curl

PACKAGE = Path(kwant_curl.__file__).parent

# Each room may know those above it.
ROOMS = [
    "checks",
    "frozen",
    "units",
    "stack",
    "system",
    "derivatives",
    "bonds",
    "coordinates",
    "currents",
    "occupations",
    "solvers",
    "selfenergies",
    "states",
    "integration",
    "compiled",
    "parallel",
    "bands",
    "averages",
    "kernels",
    "propagation",
    "dynamics",
    "smoothing",
    "storage",
    "phonons",
    "results",
    "fields",
    "vibrations",
    "files",
    "operators",
    "maps",
    "response",
    "emission",
    "flow",
    "plotting",
    "devices",
    "__init__",
    "command",
    "__main__",
]
# Results draw themselves: matplotlib is imported when that is asked for, and not before.
DRAWN = ("phonons", "results", "fields", "vibrations")
DOWNWARDS = {(room, "plotting") for room in DRAWN}


def imports():
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"relative import in {path.name}"
                names = (
                    [node.module]
                    if node.module != "kwant_curl"
                    else [f"kwant_curl.{alias.name}" for alias in node.names]
                )
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                yield room, name


def test_every_room_is_in_the_table():
    rooms = {
        path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")
    }
    assert rooms == set(ROOMS)


def test_imports_go_up_only():
    for room, name in imports():
        if name.startswith("kwant_curl."):
            other = name.split(".")[1]
            upwards = ROOMS.index(other) <= ROOMS.index(room)
            assert upwards or (room, other) in DOWNWARDS, f"{room} imports {other}"


def test_kernels_and_results_do_not_know_kwant():
    arrays = {
        "checks",
        "frozen",
        "stack",
        "derivatives",
        "occupations",
        "kernels",
        "propagation",
        "dynamics",
        "phonons",
        "results",
    }
    for room, name in imports():
        if room in arrays:
            assert name.split(".")[0] not in ("kwant", "tinyarray"), f"{room} imports {name}"


def test_one_door():
    public = set(kwant_curl.__all__)
    assert sorted(public) == sorted(kwant_curl.__all__)
    submodules = {path.stem for path in PACKAGE.iterdir()}
    bound = {name for name in vars(kwant_curl) if not name.startswith("_")} - submodules
    assert bound == public - submodules


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
                assert all(field in doc for field in fields if field != "_"), name
