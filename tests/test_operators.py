"""`Force` has Kwant's habits: call, bind, act and matrices agree, for one state and for stacks."""

import pickle

import kwant
import numpy as np
import pytest
from systems import MODELS, atoms_of, chain, random_hermitian, square_wire

from kwant_curl import Displacements, Force, Matrices, NonequilibriumDensity, Parameters, PowerLaw

PARAMS = {"x0": 0.1, "y0": -0.05, "x1": 0.0, "y1": 0.02}


def displaced():
    syst = square_wire(disorder=0.5, norbs=2).finalized()
    return syst, Displacements([9, 10, 14], scaling=PowerLaw(3)), None


def parameters():
    model = MODELS["two orbitals, spin-orbit"]
    return model.syst_of_parameters(model.positions()), Parameters(list(PARAMS)), PARAMS


def matrices():
    syst = chain(9).finalized()
    rng = np.random.default_rng(4)
    dense = [random_hermitian(rng, 9, density) for density in (0.05, 0.5, 1.0)]
    return syst, Matrices([*dense, np.zeros((9, 9))]), None


def random_states(syst, n, seed=0):
    size = syst.site_ranges[-1][2]
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, size)) + 1j * rng.normal(size=(n, size))


def check_operator(syst, coordinates, params):
    force = Force(syst, coordinates)
    bound = force.bind(params=params)
    f = np.array([m.toarray() for m in force.matrices(params=params)])
    np.testing.assert_allclose(f, f.conj().swapaxes(1, 2), atol=1e-14)
    bras, kets = random_states(syst, 4), random_states(syst, 4, seed=1)
    elements = np.einsum("ma,iab,nb->imn", bras.conj(), f, kets)
    pairs = np.einsum("imm->mi", elements)
    for operator, keywords in ((force, {"params": params}), (bound, {})):
        np.testing.assert_allclose(operator(bras, kets, **keywords), pairs, atol=1e-12)
        np.testing.assert_allclose(operator(bras[0], kets[0], **keywords), pairs[0], atol=1e-12)
        np.testing.assert_allclose(
            operator(bras[1], kets, **keywords), elements[:, 1].T, atol=1e-12
        )
        real = operator(kets, **keywords)
        assert real.dtype == float
        np.testing.assert_allclose(real, operator(kets, kets, **keywords).real, atol=1e-12)
        np.testing.assert_allclose(operator(kets[2], **keywords), real[2], atol=1e-12)
        np.testing.assert_allclose(
            operator.act(kets, **keywords), np.einsum("iab,nb->na", f, kets), atol=1e-12
        )
        acted = operator.act(kets[0], **keywords)
        assert np.vdot(bras[0], acted) == pytest.approx(pairs[0].sum())
        np.testing.assert_allclose(
            operator.matrix(bras, kets[:3], **keywords), elements[:, :, :3], atol=1e-12
        )
    return force


@pytest.mark.parametrize("make", [displaced, parameters, matrices])
def test_call_bind_act_and_matrices_agree(make):
    check_operator(*make())


def test_states_of_kwant_go_in_as_they_are():
    syst, coordinates, _ = displaced()
    force = Force(syst, coordinates).bind()
    psi = kwant.wave_function(syst, 1.7)(0)
    assert force(psi).shape == (len(psi), 6)
    assert force(psi[0]).shape == (6,)
    assert force.matrix(psi, psi[:2]).shape == (6, len(psi), 2)


def test_bound_operator_takes_no_params():
    syst, coordinates, params = parameters()
    bound = Force(syst, coordinates).bind(params=params)
    with pytest.raises(ValueError, match="already bound"):
        bound(random_states(syst, 1), params=params)
    with pytest.raises(ValueError, match="already bound"):
        bound.bind(params=params)


def test_pickle():
    syst, coordinates, _ = displaced()
    states = random_states(syst, 2)
    force = pickle.loads(pickle.dumps(Force(syst, coordinates).bind()))
    np.testing.assert_array_equal(force(states), Force(syst, coordinates)(states))


@pytest.mark.parametrize(
    ("bra", "ket", "message"),
    [
        (np.zeros(3), None, r"bra has shape \(3,\); expected \(48,\), or \(n_states, 48\)"),
        (np.zeros((2, 2, 48)), None, r"bra has shape \(2, 2, 48\)"),
        (np.zeros(48), np.zeros(47), r"ket has shape \(47,\)"),
        (np.zeros((2, 48)), np.zeros((3, 48)), "bra is a stack of 2 states and ket of 3"),
    ],
)
def test_wrong_shapes(bra, ket, message):
    syst, coordinates, _ = displaced()
    with pytest.raises(ValueError, match=message):
        Force(syst, coordinates)(bra, ket)


def test_expectation_of_something_else():
    syst, _, _ = displaced()
    rho = NonequilibriumDensity(syst, 1.7)
    with pytest.raises(TypeError, match=r"operator is a str; expected Force, Mom"):
        rho.expectation("force")
    with pytest.raises(ValueError, match=r"matrix has shape \(3, 3\); expected \(48, 48\)"):
        rho.expectation(np.eye(3))


def test_force_of_a_system_without_leads():
    """States may come from anywhere: a closed system has forces too."""
    model = MODELS["one orbital"]
    builder = model.builder(model.positions(), lambda a, b: -1.0)
    builder.leads = []
    syst = builder.finalized()
    force = Force(syst, Displacements(atoms_of(syst), scaling=PowerLaw(3)))
    energies, states = np.linalg.eigh(syst.hamiltonian_submatrix())
    assert force(states.T).shape == (len(energies), 2 * len(atoms_of(syst)))
