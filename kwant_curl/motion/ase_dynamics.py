"""Langevin dynamics of ASE with the friction and the noise of the electrons."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ase import units as ase_units
from ase.md.md import MolecularDynamics
from numpy.typing import ArrayLike, NDArray

from kwant_curl.motion.ase_bonds import Bonds, Broken
from kwant_curl.motion.ase_calculator import CurrentInducedForces
from kwant_curl.motion.ase_constraints import free_directions
from kwant_curl.motion.ase_energies import EnergyBalance
from kwant_curl.motion.ase_restart import KEY, generator_of, numbers_of, state_of
from kwant_curl.motion.bath import Bath, Damping
from kwant_curl.support.checks import nonnegative_number, positive_number, true_or_false
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.mechanics import other_damping

__all__ = ["CurrentInducedLangevin"]

FloatArray = NDArray[np.float64]

WORKS = ("base", "current", "friction", "noise")


class CurrentInducedLangevin(MolecularDynamics):
    """Dynamics of ASE under current: forces, friction and noise of the electrons.

    M r'' = F_base + Delta F(r) - gamma(r) r' + xi, with the full matrices of friction and noise of
    the atoms' `CurrentInducedForces`, at the present positions.

    Parameters
    ----------
    atoms : ase.Atoms
        With a `CurrentInducedForces` as their calculator.
    timestep : float
        In ASE's unit of time, as ``1.0 * ase.units.fs``.
    damping : float or array (n_atoms,), default 0.0
        Friction of other origin, by the rate at which momenta decay, per ASE's unit of time, as
        `friction` of `ase.md.langevin.Langevin`.
    temperature_K : float, optional
        The temperature of `damping`.  Default: that of the electrons.
    noise : bool, default True
        Whether noise acts, that of electrons and of `damping`.
    rng : optional
        Of the noise, anything that `numpy.random.default_rng` takes, as a seed.
    bonds : mapping, optional
        ``{(i, j): longest}``: pairs of atoms whose bonds are broken when they are longer, in Å.
        The run then stops: see `stopped`.
    on_break : callable, optional
        Called as ``on_break(dynamics, broken)`` when a bond breaks, with ``broken.atoms``,
        ``broken.length`` and ``broken.longest``.
    restart : True or mapping, optional
        Go on with a trajectory: with the state that was written into its frames
        (``atoms.info``), or with one of `state`.
    trajectory, logfile, loginterval, append_trajectory
        As for all dynamics of ASE.

    Attributes
    ----------
    stopped : str or None
        Why the run was stopped.

    Raises
    ------
    ValueError, TypeError
        For another calculator, noise without `rng`, noise at a bias from a field without it,
        constraints other than FixAtoms, FixCartesian, FixedLine and FixedPlane; for motion that
        grows beyond all numbers; and as `CurrentInducedForces`.

    Warns
    -----
    RuntimeWarning
        Where a run is stopped.

    Notes
    -----
    gamma is the field's velocity tensor with ``velocity=True``, otherwise the friction of
    equilibrium.  The noise is classical and white, that of the field with ``noise=True``, and
    2 kT friction without a bias.  Without `refresh` electrons are solved for twice in each step.

    The integrator is BAOAB (B. Leimkuhler, C. Matthews, Appl. Math. Res. Express 2013, 34
    (2013)): the force acts for half a step, atoms drift for half a step, friction and noise act
    for a step, exactly and with the tensors of the positions there, and the other halves follow.
    It errs as the square of the step, and without friction it is velocity Verlet.

    Where friction depends on positions, Ito's and Stratonovich's interpretation are the same: the
    noise changes velocities, and its size depends on positions, which have no noise of their
    own.  In each step friction and noise leave Maxwell's distribution as it is at every position,
    so without a bias, and at one temperature, the stationary distribution is the canonical one,
    with BAOAB's error and no term for the change of the friction.  For strong friction positions
    then diffuse as in the isothermal interpretation (of Haenggi and Klimontovich).

    `energies` says what each force has done.  Constraints are those at the start.

    A frame in a trajectory holds the state of the random numbers in its ``info``; a run that is
    taken up there gives the same trajectory bit by bit, if the base calculator gives the same
    forces at the same positions.

    Examples
    --------
    >>> from ase import Atoms
    >>> from ase.io import read
    >>> from ase.units import fs
    >>> field = ResponseField(syst, moving, energy, bias=0.5, units=EV_ANGSTROM_AMU, noise=True)
    >>> atoms = Atoms("H", [[2.05, 1.0, 0.0]])
    >>> atoms.calc = CurrentInducedForces(field)
    >>> motion = CurrentInducedLangevin(atoms, 1.0 * fs, rng=1, trajectory="motion.traj")
    >>> motion.run(3)
    True
    >>> atoms = read("motion.traj")  # later
    >>> atoms.calc = CurrentInducedForces(field, indices=[0])
    >>> motion = CurrentInducedLangevin(atoms, 1.0 * fs, restart=True,
    ...                                 trajectory="motion.traj", append_trajectory=True)
    """

    def __init__(
        self,
        atoms: Any,
        timestep: float,
        *,
        damping: ArrayLike = 0.0,
        temperature_K: float | None = None,
        noise: bool = True,
        rng: Any = None,
        bonds: Mapping[tuple[int, int], float] | None = None,
        on_break: Callable[["CurrentInducedLangevin", Broken], object] | None = None,
        restart: bool | Mapping[str, Any] | None = None,
        trajectory: Any = None,
        logfile: Any = None,
        loginterval: int = 1,
        append_trajectory: bool = False,
    ) -> None:
        if not isinstance(atoms.calc, CurrentInducedForces):
            raise TypeError(
                f"The atoms' calculator is a {type(atoms.calc).__name__}; expected "
                "CurrentInducedForces(field, base). Without a current ASE's own Langevin does it."
            )
        # First of all what may raise: ASE deletes a trajectory that isn't appended to.
        step, state = positive_number("timestep", timestep), state_of(restart, atoms)
        self._calculator: CurrentInducedForces = atoms.calc
        self._noise = true_or_false("noise", noise)
        self._generator = generator_of(rng, state, self._noise)
        self._rates = other_damping(damping, len(atoms), "atom")
        self._kt = self._temperature(temperature_K)
        self._bonds = Bonds({} if bonds is None else bonds, len(atoms))
        self._free = free_directions(atoms)
        super().__init__(
            atoms,
            step,
            trajectory=trajectory,
            logfile=logfile,
            loginterval=loginterval,
            append_trajectory=append_trajectory,
        )
        if trajectory is not None:
            self.insert_observer(self._note_state, 0, loginterval)
        self._on_break = on_break
        self.stopped: str | None = None
        self._bath: Bath | None = None
        self._works = dict.fromkeys(WORKS, 0.0)
        self._start: tuple[float, float] | None = None
        if state is None:
            atoms.set_momenta(self._allowed(atoms.get_momenta()), apply_constraint=False)
        else:
            self.nsteps, self._start = int(state["steps"]), tuple(state["start"])
            self._works = {name: float(state["works"][name]) for name in WORKS}

    @property
    def energies(self) -> EnergyBalance:
        """The atoms' energies, and what each force has done since the start, in eV.

        ``energies.residual`` is zero to rounding times steps: the kinetic energy's change is the
        work of base, current, friction and noise.  ``energies.drift`` is the integrator's error.
        """
        now = self._energies_now()
        return EnergyBalance(*now, *(now if self._start is None else self._start), **self._works)

    def state(self) -> dict[str, Any]:
        """Return what a run needs to be taken up later, beside the atoms: plain numbers."""
        start = self._energies_now() if self._start is None else self._start
        return {
            "steps": self.nsteps,
            "start": list(start),
            "works": dict(self._works),
            "random": numbers_of(self._generator),
        }

    def stop(self, reason: str) -> None:
        """End the run after this step, and say why: for observers and callbacks."""
        self.stopped = reason
        self.max_steps = 0

    def run(self, steps: int = 50) -> bool:
        """Run so many steps, or until the run is stopped; return whether all were made."""
        self.stopped = None
        last = self.nsteps + steps
        super().run(steps)
        if self.stopped is not None:
            issued([self.stopped])
        return bool(self.nsteps == last)

    def step(self) -> None:
        """Make a step of BAOAB."""
        if self._start is None:
            self._start = self._energies_now()
        momenta = self._kicked(self.atoms.get_momenta())
        self._drift(momenta)
        momenta = self._pushed(momenta)
        self._drift(momenta)
        self.atoms.set_momenta(self._kicked(momenta), apply_constraint=False)
        broken = self._bonds.broken(self.atoms)
        if broken is not None:
            self._break(broken)

    def todict(self) -> dict[str, Any]:
        """Return what describes the dynamics in the head of a trajectory."""
        return {
            **super().todict(),
            "temperature_K": self._kt / ase_units.kB,
            "damping": self._rates.tolist(),
            "noise": self._noise,
        }

    def _kicked(self, momenta: FloatArray) -> FloatArray:
        """Return the momenta after half a step of the forces."""
        half = 0.5 * self.dt
        forces = [self._allowed(force) for force in self._calculator.forces_of_both(self.atoms)]
        total = forces[0] + forces[1]
        middle = (momenta + 0.5 * half * total) / self.masses
        for name, force in zip(("base", "current"), forces, strict=True):
            self._works[name] += half * float(np.vdot(force, middle))
        return momenta + half * total

    def _drift(self, momenta: FloatArray) -> None:
        """Move the atoms for half a step."""
        positions = self.atoms.positions + 0.5 * self.dt * momenta / self.masses
        if not np.isfinite(positions).all():
            atom = int(np.flatnonzero(~np.isfinite(positions).all(axis=1))[0])
            raise ValueError(
                f"The motion has grown beyond all numbers in step {self.nsteps + 1}, of atom "
                f"{atom} first: it runs away. Take a smaller timestep, or stop where a bond breaks "
                "(bonds=)."
            )
        self.atoms.set_positions(positions, apply_constraint=False)

    def _pushed(self, momenta: FloatArray) -> FloatArray:
        """Return the momenta after a step of friction and noise, where the atoms are."""
        gamma, noise = self._calculator.damping_and_noise(self.atoms, noise=self._noise)
        if self._bath is None:
            damping = Damping(self._rates, self._kt, self.dt, self._noise)
            moving = self._calculator.indices
            self._bath = Bath(self.masses.ravel(), moving, damping, self._free)
        generator = self._generator
        xi = None if generator is None else generator.standard_normal(momenta.shape)
        pushed = self._bath.push(momenta, gamma, noise, xi)
        after = self._allowed(pushed.momenta)
        energies = [self._kinetic(p) for p in (momenta, self._allowed(pushed.damped), after)]
        self._works["friction"] += energies[1] - energies[0]
        self._works["noise"] += energies[2] - energies[1]
        return after

    def _allowed(self, vectors: FloatArray) -> FloatArray:
        """Return the part of forces or momenta that constraints leave."""
        return vectors if self._free is None else np.einsum("nij,nj->ni", self._free, vectors)

    def _kinetic(self, momenta: FloatArray) -> float:
        return 0.5 * float((momenta**2 / self.masses).sum())

    def _energies_now(self) -> tuple[float, float]:
        """Return kinetic and potential energy."""
        return self._kinetic(self.atoms.get_momenta()), float(self.atoms.get_potential_energy())

    def _note_state(self) -> None:
        self.atoms.info[KEY] = json.dumps(self.state())

    def _break(self, broken: Broken) -> None:
        i, j = broken.atoms
        time = (self.nsteps + 1) * self.dt / ase_units.fs
        self.stop(
            f"The bond between atoms {i} and {j} broke at {time:.6g} fs: it is {broken.length:.4g} "
            f"Å long, beyond {broken.longest:.4g} Å."
        )
        if self._on_break is not None:
            self._on_break(self, broken)

    def _temperature(self, kelvin: float | None) -> float:
        """Return kT of the damping, in eV."""
        if kelvin is None:
            return self._calculator.electron_temperature
        return ase_units.kB * nonnegative_number("temperature_K", kelvin)
