"""Langevin dynamics in potentials that are not harmonic, with forces that depend on the place."""

import numpy as np
import pytest
from scipy.integrate import quad
from systems import two_levels
from test_cycles import MASSES, WELL, waterwheel

import kwant_curl as kc

KT = 0.02


def response_of(n=2, *, kt=KT, friction=0.3, curl=0.0, force=None):
    turned = 0.5 * curl * (np.eye(n, k=-1) - np.eye(n, k=1))
    return kc.ForceResponse.from_arrays(
        friction=friction * np.eye(n),
        jacobian=turned,
        noise=2 * kt * friction * np.eye(n),
        force=np.zeros(n) if force is None else force,
        temperature=kt,
    )


def modes_of(springs, masses):
    return kc.VibrationalModes.from_force_constants(springs, masses)


def test_in_a_harmonic_potential_it_is_the_harmonic_motion():
    springs = np.array([[1.0, 0.3], [0.3, 1.5]])
    modes = modes_of(springs, [1.0, 2.0])
    response = response_of(curl=0.2)
    options = {"coordinates": [1.0, -0.4], "damping": [0.1, 0.2], "noise": False}
    harmonic = kc.langevin(response, modes, 30.0, **options)
    potential = kc.QuarticPotential(springs)
    for anharmonic in (potential, lambda q: (0.5 * (q * (q @ springs)).sum(axis=1), -q @ springs)):
        motion = kc.langevin(response, modes, 30.0, anharmonic=anharmonic, **options)
        assert motion.times == pytest.approx(harmonic.times)
        assert motion.coordinates == pytest.approx(harmonic.coordinates, abs=1e-12)
        assert motion.velocities == pytest.approx(harmonic.velocities, abs=1e-12)
        assert motion.total_energy == pytest.approx(harmonic.total_energy, abs=1e-12)
    assert harmonic.potential is None
    with pytest.raises(ValueError, match="of motion that is not harmonic alone"):
        _ = harmonic.drift


def test_energies_add_up():
    """To rounding what is done to the velocities; the rest falls as the square of the step."""
    modes = modes_of(np.eye(2), np.ones(2))
    response = response_of(curl=0.4, force=[0.05, -0.02])
    potential = kc.QuarticPotential(np.eye(2), 2.0)
    options = {"anharmonic": potential, "coordinates": [0.4, 0.1], "seed": 4, "n_trajectories": 3}
    motion = kc.langevin(response, modes, 10.0, **options)
    kinetic = 0.5 * (motion.velocities**2).sum(axis=2)
    done = motion.works.sum(axis=2)
    assert done == pytest.approx(kinetic - kinetic[:, :1], abs=1e-13)
    assert motion.works.shape == (3, len(motion.times), 4)
    assert (motion.works[:, -1, 2] < 0).all()
    quiet = {**options, "noise": False, "seed": None, "n_trajectories": 1}
    drifts = [
        np.abs(kc.langevin(response, modes, 10.0, time_step=h, **quiet).drift).max()
        for h in (0.1, 0.05, 0.025)
    ]
    assert np.array(drifts[:-1]) / drifts[1:] == pytest.approx(4, rel=0.05)
    still = kc.langevin(response_of(friction=0.0), modes, 200.0, time_step=0.05, **quiet)
    energy = still.total_energy[0]
    assert np.abs(energy / energy[0] - 1).max() < 2e-3
    assert still.works[0, -1, 1:] == pytest.approx(np.zeros(3), abs=1e-15)


def moments(potential, kt, power):
    """The mean of |x|^power and of x dU/dx by quadrature of exp(-U/kT), U(x) of one coordinate."""

    def energy(x):
        return potential(np.array([[x]]))[0][0]

    def weighted(value):
        return quad(lambda x: value(x) * np.exp(-energy(x) / kt), -2, 2, limit=200)[0]

    norm = weighted(lambda _: 1.0)
    return weighted(lambda x: np.abs(x) ** power) / norm


class Uneven:
    """Friction and noise that depend on the place, of kT everywhere: a field without current."""

    temperature, noise, units, notices = KT, True, None, ()
    spacing = 0.05

    def __init__(self, noisier=0.0):
        self.noisier, self.n_solved = noisier, 0

    def node(self, displacements):
        return np.rint(displacements / self.spacing).astype(np.int64)

    def near(self, displacements):
        self.n_solved += 1
        place = self.spacing * self.node(displacements)
        gamma = np.array([[0.1 + 8 * place[0] ** 2]])
        response = kc.ForceResponse.from_arrays(
            friction=gamma,
            curl=np.zeros((1, 1)),
            noise=2 * KT * gamma * (1 + self.noisier * place[0] ** 2),
            force=np.zeros(1),
            temperature=KT,
        )
        return response, displacements - place


@pytest.mark.parametrize("springs", [1.0, -0.3])
def test_without_current_the_motion_is_canonical(springs):
    """In a quartic well and in a double well, friction depending on the place or not."""
    potential = kc.QuarticPotential([[springs]], 4.0)
    modes = kc.VibrationalModes([1.0], np.eye(1), [1.0])
    field = Uneven()
    for response in (response_of(1), field):
        options = {"n_trajectories": 300, "seed": 7, "time_step": 0.15, "every": 4, "damping": 0.2}
        motion = kc.langevin(response, modes, 120.0, anharmonic=potential, **options)
        late = motion.times > 30
        for values, expected in (
            (motion.coordinates[:, late, 0] ** 2, moments(potential, KT, 2)),
            (motion.coordinates[:, late, 0] ** 4, moments(potential, KT, 4)),
            (motion.velocities[:, late, 0] ** 2, KT),
        ):
            means = values.mean(axis=1)
            error = means.std() / np.sqrt(len(means))
            assert means.mean() == pytest.approx(expected, abs=4 * error)
            assert error < 0.04 * expected
        assert motion.effective_temperature(after=30) == pytest.approx([KT], rel=0.04)
    assert field.n_solved < 100


def test_more_noise_than_friction_is_not_canonical():
    """So that the test of what is canonical can fail."""
    potential = kc.QuarticPotential([[1.0]], 4.0)
    modes = kc.VibrationalModes([1.0], np.eye(1), [1.0])
    options = {"n_trajectories": 200, "seed": 7, "time_step": 0.15, "every": 4}
    motion = kc.langevin(Uneven(10.0), modes, 80.0, anharmonic=potential, **options)
    assert motion.effective_temperature(after=40)[0] > 1.1 * KT


def test_motion_under_current_ends_in_the_limit_cycle():
    """Tensors of nodes with forces to first order: another route to amplitude, period and work."""
    field = waterwheel(bias=0.03, refresh=0.01, jacobian=True)
    cycle = kc.limit_cycle(field, WELL, MASSES)
    modes = modes_of(0.4 * np.eye(2), MASSES)
    turns, per_turn = 25, 200
    motion = kc.langevin(
        field,
        modes,
        turns * cycle.period,
        anharmonic=WELL,
        coordinates=0.85 * cycle.points[0] @ np.linalg.inv(modes.patterns),
        velocities=0.85 * cycle.velocities[0] @ np.linalg.inv(modes.patterns),
        time_step=cycle.period / per_turn,
        noise=False,
    )
    last = motion.displacements[0, -per_turn:]
    size = np.sqrt(((last - last.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert size == pytest.approx(cycle.amplitude, rel=2e-3)
    turn = motion.works[0, -1] - motion.works[0, -1 - per_turn]
    assert turn[1] == pytest.approx(cycle.work, rel=5e-3)
    assert turn[2] == pytest.approx(-cycle.friction_loss, rel=5e-3)
    assert field.n_solved < 900


def test_a_restart_is_the_same_motion_bit_by_bit():
    modes = modes_of(0.4 * np.eye(2), MASSES)
    options = {"anharmonic": WELL, "noise": False, "time_step": 1.0}
    start = {"coordinates": [1.0, 0.5], "velocities": [0.01, 0.0]}
    whole = kc.langevin(waterwheel(bias=0.03, refresh=0.05), modes, 256.0, **start, **options)
    field = waterwheel(bias=0.03, refresh=0.05)
    first = kc.langevin(field, modes, 128.0, **start, **options)
    middle = {"coordinates": first.coordinates[0, -1], "velocities": first.velocities[0, -1]}
    fresh = waterwheel(bias=0.03, refresh=0.05)
    second = kc.langevin(fresh, modes, 128.0, **middle, **options)
    assert np.array_equal(whole.coordinates[0, :129], first.coordinates[0])
    assert np.array_equal(whole.coordinates[0, 128:], second.coordinates[0])


def test_electrons_at_each_place():
    """Without nodes, twice a step; a Kwant system's own field."""
    syst, moving = two_levels()
    field = kc.ResponseField(syst, moving, 0.0, bias=0.2, jacobian=True)
    modes = modes_of(0.4 * np.eye(2), MASSES)
    options = {"noise": False, "time_step": 5.0, "coordinates": [1.0, 0.0]}
    motion = kc.langevin(field, modes, 15.0, **options)
    assert field.n_solved == 2 * 3 + 1
    # Springs of the modes; the force of the current pushes from the start on.
    place = np.array([1.0, 0.0]) @ modes.patterns
    force = field(place).force - 0.4 * place
    middle = motion.displacements[0, 1]
    assert middle - place == pytest.approx(0.5 * 25 * force / MASSES, rel=0.05)


def test_equal_seeds_give_equal_motion():
    modes, options = kc.VibrationalModes([1.0], np.eye(1), [1.0]), {"n_trajectories": 5}
    potential = kc.QuarticPotential([[1.0]], 4.0)
    one, two, other = (
        kc.langevin(Uneven(), modes, 5.0, anharmonic=potential, seed=seed, **options)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one.coordinates, two.coordinates)
    assert not np.array_equal(one.coordinates, other.coordinates)
    # A single one takes the same numbers, and little memory forgets places alone.
    small = kc.langevin(
        Uneven(), modes, 5.0, anharmonic=potential, seed=1, max_memory=1.0, **options
    )
    assert np.array_equal(one.coordinates, small.coordinates)


def test_anharmonic_results_are_kept(tmp_path):
    modes = modes_of(np.eye(2), np.ones(2))
    motion = kc.langevin(
        response_of(), modes, 3.0, anharmonic=WELL, coordinates=[1.0, 0.0], seed=1, every=7
    )
    motion.save(tmp_path / "motion.npz")
    again = kc.load(tmp_path / "motion.npz")
    assert np.array_equal(again.works, motion.works)
    assert np.array_equal(again.potential, motion.potential)
    assert np.array_equal(motion.to_xarray().total_energy, motion.total_energy)
    assert "<Trajectory of 2 modes" in repr(motion)
    assert motion.plot().lines[-1].get_ydata() == pytest.approx(motion.total_energy[0])


def test_what_users_may_get_wrong():
    modes, response = modes_of(np.eye(2), np.ones(2)), response_of()
    field = waterwheel(bias=0.03)
    runaway = kc.QuarticPotential(-np.eye(2))
    for text, error, arguments, keywords in (
        ("expected a ForceResponse", TypeError, ("x", modes, 1.0), {}),
        ("expected VibrationalModes", TypeError, (field, "x", 1.0), {"noise": False}),
        ("ResponseField\\(..., noise=True\\)", ValueError, (field, modes, 1.0), {"seed": 1}),
        ("seed is not given", ValueError, (response, modes, 1.0), {"anharmonic": WELL}),
        ('noise is "quantum"', ValueError, (response, modes, 1.0), {"noise": "quantum"}),
        ("cutoff is given", ValueError, (response, modes, 1.0), {"cutoff": 1.0}),
        ("are not finite", ValueError, (response, modes, 2e3), {"anharmonic": runaway}),
        ("time_step", ValueError, (response, modes, 1.0), {"time_step": 3.0}),
    ):
        if error is ValueError and "anharmonic" not in keywords and arguments[0] is response:
            keywords = {"anharmonic": WELL, **keywords}
        if "finite" in text:
            keywords |= {"noise": False, "coordinates": [1.0, 0.0]}
        with pytest.raises(error, match=text):
            kc.langevin(*arguments, **keywords)
