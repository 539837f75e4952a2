"""Energies of bands from banded and from full matrices."""

import numpy as np
import pytest

from kwant_curl.algebra.bloch import BlochCells


def chain(n: int, reach: int, is_real: bool, seed: int):
    """Return the cell and the hopping of a ladder, its orbitals in a random order."""
    rng = np.random.default_rng(seed)
    near = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= reach
    parts = rng.normal(size=(2, n, n)) + (0 if is_real else 1j) * rng.normal(size=(2, n, n))
    cell, hopping = parts * near
    order = rng.permutation(n)
    return (cell + cell.conj().T)[np.ix_(order, order)], hopping[np.ix_(order, order)]


@pytest.mark.parametrize(
    ("n", "reach", "is_banded"), [(9, 2, False), (90, 2, True), (70, 9, False)]
)
@pytest.mark.parametrize("is_real", [True, False])
@pytest.mark.parametrize("unit", [1e-22, 1.0, 1e6])
def test_energies_are_those_of_dense_matrices(n, reach, is_banded, is_real, unit):
    cell, hopping = (unit * part for part in chain(n, reach, is_real, seed=n + reach))
    cells = BlochCells.of(cell, hopping)
    assert (cells.reach > 0) == is_banded
    found = cells.around(8)
    for k, energies in zip(np.arange(8) * np.pi / 4, found, strict=True):
        forwards = hopping * np.exp(-1j * k)
        exact = np.linalg.eigvalsh(cell + forwards + forwards.conj().T)
        np.testing.assert_allclose(energies, exact, atol=2e-5 * unit * np.sqrt(n))


def test_the_same_bands_in_another_order_and_direction():
    for is_real in (True, False):
        cell, hopping = chain(80, 2, is_real, seed=1)
        order = np.random.default_rng(2).permutation(80)
        mine = BlochCells.of(cell, hopping)
        turned = BlochCells.of(
            cell[np.ix_(order, order)], hopping.conj().T[np.ix_(order, order)].copy()
        )
        assert mine.has_bands_of(turned)
        other = cell.copy()
        other[3, 3] += 1e-2
        assert not mine.has_bands_of(BlochCells.of(other, hopping))
        assert not mine.has_bands_of(BlochCells.of(cell[:79, :79], hopping[:79, :79]))
