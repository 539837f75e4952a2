"""Arrays that GPAW made, read as the tutorial reads them: what matrices and forces must fulfil."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import kwant
import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import eigvalsh

from kwant_curl import Junction, force_response
from kwant_curl.materials.arrays import orbitals_of
from kwant_curl.materials.ends import zero_shift

PAGE = Path(__file__).parents[1] / "tutorials" / "gpaw_junction.md"
BLOCK = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
STEP = 0.01


@pytest.fixture(scope="module")
def page():
    """Return the names of the tutorial's blocks, without those that draw and those after dH."""
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PAGE.parent)
        for block in BLOCK.findall(PAGE.read_text()):
            if "ax.plot" not in block:
                exec(compile(block, PAGE.name, "exec"), names)
            if "coordinates" in names:
                return names
    raise AssertionError("the tutorial has no coordinates")


def nothing_on_atoms(page):
    return {atom: np.zeros((3, n, n)) for atom, n in enumerate(page["orbitals"])}


def test_what_gpaw_found_is_a_junction(page):
    report = page["junction"].report()
    # Both ends differ from the wire by a little more than what passes, and nothing else is wrong.
    assert all("differs from the electrode by 0.056" in doubt for doubt in report.doubts)
    assert len(report.doubts) == 2
    assert np.max(report.mismatch_coupling) < 0.05
    assert max(report.beyond) < 1e-5
    assert max(report.mismatch_overlap) < 1e-6
    assert page["electrode"].fermi == pytest.approx(page["arrays"]["electrode_fermi"], abs=0.01)


def test_overlaps_are_positive_definite_at_all_geometries(page):
    for run in range(len(page["arrays"]["positions"])):
        assert eigvalsh(page["calculation"](run).overlap.toarray()).min() > 0.1


def test_orbitals_are_by_atom_and_p_is_y_z_x(page):
    """The kink is even or odd under a mirror and an inversion, and so are matrix elements."""
    device = page["device"]
    start = np.concatenate([[0], np.cumsum(device.orbitals)[:-1]])
    kinds = np.concatenate([np.arange(n) for n in device.orbitals])  # s, p_y, p_z, p_x
    mirror = np.where(kinds == 2, -1, 1)
    centre = device.positions.mean(axis=0)
    apart = np.linalg.norm(2 * centre - device.positions[:, None] - device.positions[None], axis=2)
    image = apart.argmin(axis=1)
    assert apart.min(axis=1).max() < 0.01
    where = np.concatenate(
        [start[image[atom]] + np.arange(n) for atom, n in enumerate(device.orbitals)]
    )
    parity = np.where(kinds == 0, 1, -1)
    for matrix in (device.hamiltonian.toarray(), device.overlap.toarray()):
        size = np.abs(matrix).max()
        assert np.allclose(matrix, matrix * np.outer(mirror, mirror), atol=1e-6 * size)
        inverted = matrix[np.ix_(where, where)] * np.outer(parity, parity)
        assert np.allclose(matrix, inverted, atol=1e-3 * size)


def test_displaced_runs_keep_their_sum_rules(page):
    coordinates = page["coordinates"]
    report = coordinates.report()
    # PAW's overlaps see the projectors of atoms that stay.
    assert len(report.doubts) == 1
    assert "dS breaks its sum rule by 0.024; " in report.doubts[0]
    with pytest.raises(ValueError, match=r"between other atoms, by up to 0\.0117"):
        page["junction"].displacements(page["runs"], align=0, on_atom=nothing_on_atoms(page))
    largest = np.abs(coordinates.force_constants).max()
    assert report.drift < 0.03 * largest
    assert report.asymmetry < 0.01 * largest
    # The atoms that move are at rest.
    device = page["device"]
    assert np.abs(device.forces[page["arrays"]["moving"]]).max() < 0.02
    # The grid pulls a little at all of them.
    assert np.abs(device.forces.sum(axis=0)).max() < 0.05 * np.abs(device.forces).max()
    assert np.linalg.eigvalsh(coordinates.force_constants).min() > 0


def test_the_curl_is_that_of_new_runs_of_gpaw_with_atoms_moved(page):
    junction, coordinates, electrode = page["junction"], page["coordinates"], page["electrode"]
    shift = junction.report().shift.mean()
    shifted = replace(
        electrode,
        hamiltonian=electrode.hamiltonian + shift * electrode.overlap,
        coupling=electrode.coupling + shift * electrode.coupling_overlap,
    )
    device, energy = junction.device, junction.fermi
    ends = [orbitals_of(atoms, device.orbitals) for atoms in np.arange(20).reshape(5, 4)[[0, -1]]]
    # The first atom along x and y: by itself, then in both directions.
    numbers = {(0, 0): 0, (1, 0): 1, (-1, 0): 2, (0, 1): 3, (0, -1): 4}
    numbers |= {(1, 1): 25, (1, -1): 26, (-1, 1): 27, (-1, -1): 28}

    @cache
    def run(x, y):
        """Return a calculation with the zero of energy of its ends."""
        found = page["calculation"](numbers[x, y])
        moved = found.positions[coordinates.sites[0]] - coordinates.positions[0]
        assert np.allclose(moved, [x * STEP, y * STEP, 0], atol=1e-9)
        change = found.hamiltonian - device.hamiltonian
        parts = [[m[end][:, end] for end in ends] for m in (change, found.overlap)]
        zero = zero_shift(*(sparse.block_diag(part) for part in parts))
        return replace(found, hamiltonian=found.hamiltonian - zero * found.overlap)

    def force(x, y, axis):
        """Return the force of the current along an axis, with the atom moved by (x, y) steps."""
        syst = Junction(run(x, y), shifted).syst
        psi = kwant.wave_function(syst, 0, params={"E": energy})
        filled = [psi(lead).T @ psi(lead).conj() / (2 * np.pi) for lead in (0, 1)]
        plus, minus = (run(x + s * (axis == 0), y + s * (axis == 1)) for s in (1, -1))
        dh, ds = (
            (getattr(plus, name) - getattr(minus, name)) / (2 * STEP)
            for name in ("hamiltonian", "overlap")
        )
        return -np.trace((dh - energy * ds) @ (filled[0] - filled[1])).real

    response = force_response(
        junction.syst, coordinates, energy, bias=1.0, degeneracy=2, energy_parameter="E"
    )
    expected = (force(1, 0, 1) - force(-1, 0, 1) - force(0, 1, 0) + force(0, -1, 0)) / (2 * STEP)
    assert response.force[0] == pytest.approx(force(0, 0, 0), rel=0.01)
    assert response.curl[0, 1] == pytest.approx(expected, rel=0.005)
