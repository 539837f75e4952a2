"""Largest eigenvalues by Arnoldi's method, against all of them."""

import numpy as np
import pytest

from kwant_curl.algebra.arnoldi import PRECISE, ROUGH, largest_eigenvalues

SIZE = 220


def levels_around(seed, energy=0.3):
    """1/(E - levels) of a disordered square lattice that is open at both ends, a dense matrix."""
    rng, width = np.random.default_rng(seed), 10
    length = SIZE // width
    along, across = (np.diag(-np.ones(n - 1), 1) for n in (length, width))
    matrix = np.kron(along + along.T, np.eye(width)) + np.kron(np.eye(length), across + across.T)
    matrix = matrix + np.diag(rng.uniform(-1, 1, SIZE)) + 0j
    ends = np.r_[:width, SIZE - width : SIZE]
    matrix[ends, ends] -= 1j * rng.uniform(0.2, 1)
    return np.linalg.inv(energy * np.eye(SIZE) - matrix)


def sorted_values(matrix):
    values = np.linalg.eigvals(matrix)
    return values[np.argsort(-np.abs(values))]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [1, 3, 12])
def test_those_that_are_asked_for(seed, count):
    matrix = levels_around(seed)
    values, vectors = largest_eigenvalues(lambda q: matrix @ q, SIZE, count, 100)
    expected = sorted_values(matrix)[:count]
    np.testing.assert_allclose(values, expected, rtol=20 * PRECISE)
    assert vectors.shape == (SIZE, count)
    residual = np.linalg.norm(matrix @ vectors - vectors * values, axis=0)
    assert (residual <= 2 * PRECISE * np.abs(values)).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=0), 1)


@pytest.mark.parametrize("seed", range(18))
def test_where_they_end(seed):
    """None that is large enough is missed, and there is one more that says so."""
    matrix, n_asked = levels_around(seed), seed % 6
    expected = sorted_values(matrix)
    enough = np.sqrt(np.abs(expected[n_asked]) * np.abs(expected[max(n_asked - 1, 0)]))
    enough = 1.1 * np.abs(expected[0]) if n_asked == 0 else enough
    calls = []
    values, _ = largest_eigenvalues(
        lambda q: calls.append(q.shape[1]) or matrix @ q, SIZE, 12, 100, enough
    )
    assert len(values) == n_asked + 1
    np.testing.assert_allclose(values[:-1], expected[:n_asked], rtol=20 * PRECISE)
    assert np.abs(values[-1]) < enough
    assert values[-1] == pytest.approx(expected[n_asked], rel=5 * ROUGH)
    if not n_asked:
        assert sum(calls) <= 30


def test_two_that_are_equal():
    """As by a spin: one random vector alone would find one of them."""
    matrix = np.kron(levels_around(3), np.eye(2))
    values, vectors = largest_eigenvalues(lambda q: matrix @ q, 2 * SIZE, 4, 100)
    expected = np.repeat(sorted_values(levels_around(3))[:2], 2)
    np.testing.assert_allclose(values, expected, rtol=20 * PRECISE)
    assert np.linalg.cond(vectors) < 1e3


def test_one_that_is_far_larger():
    """As where the energy is on a bound level to the last digits."""
    levels = np.linspace(-1, 1, SIZE) + 0j
    levels[100] = 1e-13
    calls = []
    values, vectors = largest_eigenvalues(
        lambda q: calls.append(q.shape[1]) or q / levels[:, None], SIZE, 1, 16
    )
    assert values == pytest.approx([1e13], rel=1e-9)
    assert np.abs(vectors[:, 0]).argmax() == 100
    assert sum(calls) <= 6


def test_steps_that_are_not_enough():
    matrix = levels_around(0)
    values, vectors = largest_eigenvalues(lambda q: matrix @ q, SIZE, 12, 30)
    assert 0 < len(values) < 12
    np.testing.assert_allclose(values, sorted_values(matrix)[: len(values)], rtol=20 * PRECISE)
    assert vectors.shape == (SIZE, len(values))
    # One step shows nothing; a system smaller than the vectors at a time.
    assert not len(largest_eigenvalues(lambda q: matrix @ q, SIZE, 1, 0)[0])
    assert largest_eigenvalues(lambda q: 3 * q, 1, 1, 5)[0] == pytest.approx([3])
