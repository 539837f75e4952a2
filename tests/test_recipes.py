"""What the page of recipes builds is what it says."""

import re
from pathlib import Path

import kwant
import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"


def test_matrices_of_wannier_functions_go_where_they_belong():
    """<m 0|H|n R> between two cells, of two atoms with one and two functions, in any order."""
    rng = np.random.default_rng(18)
    code = re.search(r"def fill\(.*?\n\n\n", PAGE.read_text(), re.DOTALL)[0]
    names = {"np": np, "kwant": kwant}
    exec(code, names)

    def matrix():
        return rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))

    own, along, aslant = matrix(), matrix(), matrix()
    hoppings = {(0, 0): own + own.conj().T, (1, 0): along, (-1, 0): along.conj().T}
    hoppings |= {(1, -1): aslant, (-1, 1): aslant.conj().T}
    groups = [[2], [0, 1]]
    lat = kwant.lattice.general(np.eye(2), [(0, 0), (0.5, 0.3)], norbs=[1, 2])
    builder = kwant.Builder()
    names["fill"](builder, lat, groups, hoppings, lambda p: min(p) > -1.6 and max(p) < 2.6, (0, 0))
    syst = builder.finalized()
    index = {(site.family, tuple(site.tag)): n for n, site in enumerate(syst.sites)}
    for R, expected in hoppings.items():
        for atom, rows in zip(lat.sublattices, groups, strict=True):
            for other, columns in zip(lat.sublattices, groups, strict=True):
                found = syst.hamiltonian(index[atom, (0, 0)], index[other, R])
                assert np.array_equal(found, expected[np.ix_(rows, columns)])


@pytest.mark.parametrize(
    ("recipe", "answers"),
    [
        ("terminals", ["curl", "full_threshold_bias", "full_growth", "per_picosecond"]),
        ("modes", ["kc.study("]),
        ("discretize", ["kc.study("]),
    ],
)
def test_recipes_take_twenty_lines(recipe, answers):
    """From nothing but imports and units to the answers; the documentation runs them."""
    section = PAGE.read_text().partition(f"(recipe-{recipe})=")[2].partition("\n(recipe-")[0]
    (code,) = re.findall(r"```{code-cell} python\n(.*?)```", section, re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert "kwant.Builder(" in code
    assert len(lines) <= 20
    assert all(name in code for name in answers)


@pytest.mark.parametrize("recipe", ["modes", "discretize"])
def test_recipes_answer(recipe, capsys):
    """The driven pair, the critical bias, and growth, per ps where there are units."""
    pages = PAGE.read_text()
    sections = ["# Recipes", "(recipe-units)=", f"(recipe-{recipe})="]
    names = {}
    for section in sections:
        code = re.search(r"```{code-cell} python\n(.*?)```", pages.partition(section)[2], re.DOTALL)
        exec(code[1], names)
    said = capsys.readouterr().out
    per_time = " /ps" if recipe == "modes" else ""
    assert re.search(r"\n  pair +modes [01] and [01]", said)
    assert re.search(r"\n  critical bias +[\d.]+", said)
    assert re.search(rf"\n  growth +[\d.e-]+{per_time}, of the fastest", said)
