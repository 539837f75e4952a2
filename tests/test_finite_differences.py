"""The curl against finite differences of the force, of systems that are really rebuilt."""

import numpy as np
import pytest
from systems import MODELS, atoms_of, dense_derivatives, finite_difference_curl, rashba_gradient

from kwant_curl import (
    Displacements,
    Force,
    NonequilibriumDensity,
    Parameters,
    PowerLaw,
    curl_map,
    force_response,
)

pytestmark = pytest.mark.heavy

NAMES = ["x0", "y0", "x1", "y1"]


def moved(model, moving, q):
    positions = model.positions()
    positions[moving] += np.reshape(q, (len(moving), model.dim))
    return positions


def close(actual, expected, rtol=1e-6):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_curl_of_displacements(name):
    model, moving = MODELS[name], [0, 1]
    n_c = len(moving) * model.dim
    reference = finite_difference_curl(
        lambda q: (model.syst(moved(model, moving, q)), None), n_c, model.energy, model.bias
    )
    syst = model.syst_of_functions(model.positions())
    where = [atoms_of(syst)[i] for i in moving]
    response = force_response(syst, Displacements(where), model.energy, bias=model.dmu())
    assert np.abs(reference).max() > 1e-3
    close(response.curl, reference)
    close(response.curl, -response.curl.T, rtol=1e-14)

    local = curl_map(syst, Displacements(where), model.energy, bias=model.dmu())
    blocks = [reference[k : k + model.dim, k : k + model.dim] for k in range(0, n_c, model.dim)]
    if model.dim == 2:
        expected = [block[0, 1] for block in blocks]
    else:
        expected = [(block[1, 2], block[2, 0], block[0, 1]) for block in blocks]
    close(local.curl, np.array(expected))
    close(local.force.ravel(), response.force, rtol=1e-12)


@pytest.mark.parametrize("name", ["one orbital", "three leads", "3D wire", "two orbitals, scaled"])
def test_scaling_law_is_the_system_with_atoms_moved(name):
    model, moving = MODELS[name], [0, 1, 2]
    n_c = len(moving) * model.dim
    syst = model.syst(model.positions())
    coordinates = Displacements([atoms_of(syst)[i] for i in moving], scaling=PowerLaw(3))
    expected = dense_derivatives(
        lambda q: model.syst(moved(model, moving, q)).hamiltonian_submatrix(), n_c
    )
    forces = Force(syst, coordinates).matrices()
    close(-np.array([f.toarray() for f in forces]), expected, rtol=1e-9)
    by_functions = force_response(
        model.syst_of_functions(model.positions()),
        Displacements(coordinates.where),
        model.energy,
        bias=model.dmu(),
    )
    by_law = force_response(syst, coordinates, model.energy, bias=model.dmu())
    for field in ("curl", "force", "friction"):
        close(getattr(by_law, field), getattr(by_functions, field), rtol=1e-10)


def test_gradient_function_is_the_system_with_atoms_moved():
    model = MODELS["two orbitals, spin-orbit"]
    syst = model.syst_of_functions(model.positions())

    def gradient(site1, site2):
        return rashba_gradient(np.asarray(site1.pos), np.asarray(site2.pos))

    where = atoms_of(syst)
    analytic = Force(syst, Displacements(where, hopping_gradient=gradient)).matrices()
    numerical = Force(syst, Displacements(where)).matrices()
    for a, b in zip(analytic, numerical, strict=True):
        close(a.toarray(), b.toarray(), rtol=1e-10)


@pytest.mark.parametrize("name", [name for name in MODELS if "scaled" not in name])
def test_curl_of_parameters(name):
    model = MODELS[name]
    syst = model.syst_of_parameters(model.positions())

    def make(q):
        return syst, dict(zip(NAMES, q, strict=True))

    reference = finite_difference_curl(make, 4, model.energy, model.bias)
    params = dict.fromkeys(NAMES, 0.0)
    response = force_response(
        syst, Parameters(NAMES), model.energy, bias=model.dmu(), params=params
    )
    assert np.abs(reference).max() > 1e-3
    close(response.curl, reference)


@pytest.mark.parametrize("name", MODELS)
def test_force_is_the_expectation_of_the_operator(name):
    model = MODELS[name]
    syst = model.syst_of_functions(model.positions())
    coordinates = Displacements(atoms_of(syst))
    rho = NonequilibriumDensity(syst, model.energy, bias=model.dmu(), degeneracy=2)
    response = force_response(syst, coordinates, model.energy, bias=model.dmu(), degeneracy=2)
    close(rho.expectation(Force(syst, coordinates)), response.force, rtol=1e-12)
