"""A lead of a lattice: equal cells, the force constants within them and from each to the next."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.support.checks import positive_array, positive_integer, positive_number
from kwant_curl.support.frozen import Frozen
from kwant_curl.support.units import EV_ANGSTROM_AMU, Units
from kwant_curl.vibrations.harmonic import symmetric_matrix
from kwant_curl.vibrations.lattice.layers import layers_of_phonopy
from kwant_curl.vibrations.lattice.sum_rule import broken_by, held, net_forces
from kwant_curl.vibrations.other_programs import PhonopyCalculation

__all__ = ["LatticeLead"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class LatticeLead(Frozen):
    """A lead of a `Lattice`: cells that follow each other outwards.

    Parameters
    ----------
    force_constants : array of float, shape (n_c, n_c) or (n_atoms, dim, n_atoms, dim)
        K within a cell, symmetric, in E/L^2.
    coupling : array of float, of the same shape
        K from the coordinates of a cell (rows) to those of the next one outwards (columns).
    masses : float or array (n_atoms,)
        Masses in hbar^2/(E L^2); `Units.mass` makes them from atomic mass units.
    atoms : sequence of int (n_atoms,), optional
        The atoms of the device that are a cell of the lead, in its order: the outermost ones,
        after which the lead begins.  `at` gives them later.
    period : array (dim,), optional
        The step from a cell to the next one outwards, for figures.
    dropped : float
        The largest force constant beyond the next cell, which was left out, relative to the
        largest of all; for information.

    Examples
    --------
    >>> lead = LatticeLead([[2.0]], [[-1.0]], 1.0)  # a chain of springs of strength 1
    >>> lead.at([0]).atoms.tolist()
    [0]
    """

    DIMENSIONS = {  # noqa: RUF012
        "force_constants": ("coordinate", "other_coordinate"),
        "coupling": ("coordinate", "next_coordinate"),
        "masses": ("atom",),
        "atoms": ("atom",),
        "period": ("direction",),
    }

    force_constants: FloatArray
    coupling: FloatArray
    masses: FloatArray
    atoms: IntArray | None = None
    period: FloatArray | None = None
    dropped: float = 0.0

    def __post_init__(self) -> None:
        matrix = symmetric_matrix(self.force_constants)
        coupling = np.asarray(self.coupling, dtype=float)
        if coupling.ndim == 4:
            coupling = coupling.reshape(coupling.shape[0] * coupling.shape[1], -1)
        if coupling.shape != matrix.shape or not np.isfinite(coupling).all():
            raise ValueError(
                f"coupling has shape {np.shape(self.coupling)}; expected finite force constants "
                f"from a cell to the next one, {matrix.shape}, as those within a cell."
            )
        if not coupling.any():
            raise ValueError("coupling is zero: the cells of this lead are not connected.")
        if self.atoms is not None:
            object.__setattr__(self, "atoms", _indices(self.atoms))
        n = self._n_atoms(len(matrix))
        object.__setattr__(self, "force_constants", matrix)
        object.__setattr__(self, "coupling", coupling)
        object.__setattr__(self, "masses", positive_array("masses", self.masses, n))
        if self.period is not None:
            period = np.asarray(self.period, dtype=float)
            if period.ndim != 1 or not np.isfinite(period).all() or not period.any():
                raise ValueError(f"period is {self.period!r}; expected a vector, outwards.")
            object.__setattr__(self, "period", period)
        super().__post_init__()

    def _n_atoms(self, n_c: int) -> int:
        """Return how many atoms a cell has, or raise."""
        given = np.ndim(self.force_constants) == 4
        n = np.shape(self.force_constants)[0] if given else np.size(self.masses)
        if n == 1 and not given and np.ndim(self.masses) == 0:
            n = len(self.atoms) if self.atoms is not None else n_c
        fits = n_c % n == 0 and n_c // n in (1, 2, 3)
        if not fits or (self.atoms is not None and len(self.atoms) != n):
            raise ValueError(
                f"A cell of {n_c} coordinates has {n} masses"
                + ("" if self.atoms is None else f" and {len(self.atoms)} atoms")
                + "; expected one of each per atom, with 1, 2 or 3 coordinates per atom."
            )
        return int(n)

    def __len__(self) -> int:
        return len(self.masses)

    def __repr__(self) -> str:
        return f"<LatticeLead: cells of {len(self)} atoms, {self.dim} coordinates each>"

    @property
    def dim(self) -> int:
        """Coordinates per atom."""
        return len(self.force_constants) // len(self.masses)

    @property
    def broken_sum_rule(self) -> float:
        """The largest net force on an atom of a lead that is shifted, relative to the largest K."""
        return broken_by(self._net_forces(), float(np.abs(self.force_constants).max()))

    def _net_forces(self) -> FloatArray:
        whole = self.force_constants + self.coupling + self.coupling.T
        return net_forces(whole, self.dim)

    def with_sum_rule(self) -> Self:
        """Return the lead with each atom's own block such that a shift has no forces."""
        matrix = held(sparse.csr_array(self.force_constants), self._net_forces())
        return replace(self, force_constants=matrix.toarray())

    def at(self, atoms: ArrayLike) -> Self:
        """Return the lead attached to these atoms of a device."""
        return replace(self, atoms=_indices(atoms))

    def mirrored(self) -> Self:
        """Return the lead whose cells follow each other in the opposite direction."""
        period = None if self.period is None else -self.period
        return replace(self, coupling=self.coupling.T, period=period)

    @classmethod
    def from_layers(
        cls,
        force_constants: ArrayLike,
        masses: ArrayLike,
        *,
        layers: int = 1,
        tolerance: float = 1e-3,
        period: ArrayLike | None = None,
    ) -> Self:
        """Return a lead from force constants between equal layers, some of which make a cell.

        Parameters
        ----------
        force_constants : array of float, shape (n_layers, n_c, n_c)
            From the coordinates of a layer (rows) to those of the layer itself, of the next one
            outwards, of the second next, and so on.
        masses : float or array (n_atoms,)
            Masses of the atoms of a layer.
        layers : int
            How many layers make a cell.
        tolerance : float
            How large force constants beyond the next cell may be, relative to the largest; they
            are left out, and `dropped` says how large they were.
        period : array (dim,), optional
            The step from a layer to the next.

        Raises
        ------
        ValueError
            Where a cell is too thin for its force constants.
        """
        blocks = np.asarray(force_constants, dtype=float)
        if blocks.ndim != 3 or blocks.shape[1] != blocks.shape[2] or len(blocks) < 2:
            raise ValueError(
                f"force_constants has shape {blocks.shape}; expected (n_layers, n_c, n_c): within "
                "a layer, to the next, and so on."
            )
        positive_integer("layers", layers)
        size = np.abs(blocks).max(axis=(1, 2)) / np.abs(blocks).max()
        dropped = float(size[layers + 1 :].max(initial=0.0))
        if dropped > positive_number("tolerance", tolerance):
            needed = int(np.flatnonzero(size > tolerance)[-1])
            raise ValueError(
                f"A cell of {layers} layers is too thin: force constants reach beyond the next "
                f"cell, with {dropped:.3g} of the largest, more than tolerance={tolerance:.3g}. "
                f"Take layers={needed}, or a larger tolerance."
            )
        within, between = _folded(blocks, layers)
        each = positive_array("masses", masses, np.size(masses))
        step = None if period is None else layers * np.asarray(period, dtype=float)
        return cls(within, between, np.tile(each, layers), period=step, dropped=dropped)

    @classmethod
    def from_phonopy(
        cls,
        phonon: PhonopyCalculation,
        axis: int,
        *,
        layers: int = 1,
        tolerance: float = 1e-3,
        units: Units = EV_ANGSTROM_AMU,
    ) -> Self:
        """Return a lead along an axis of a crystal, from a calculation of Phonopy.

        Parameters
        ----------
        phonon : phonopy.Phonopy
            With force constants of a supercell of its primitive cell; what repeats across the
            axis moves together (the wave vector across it is zero).
        axis : int
            The axis of the primitive cell along which the lead goes, in its direction; `mirrored`
            gives the opposite one.
        layers : int
            How many primitive cells make a cell of the lead: as many as force constants reach.
        tolerance : float
            As for `from_layers`.
        units : Units
            Units in which the lead is wanted.
        """
        found = layers_of_phonopy(phonon, axis, layers, units)
        return cls.from_layers(
            found.force_constants,
            found.masses,
            layers=layers,
            tolerance=tolerance,
            period=found.period,
        )


def _folded(blocks: FloatArray, layers: int) -> tuple[FloatArray, FloatArray]:
    """Return the force constants within a cell of some layers, and to the next cell."""
    n = blocks.shape[1]
    within, between = np.zeros((2, layers * n, layers * n))
    for one in range(layers):
        for other in range(2 * layers):
            apart = other - one
            if not -min(layers, len(blocks) - 1) <= apart <= min(layers, len(blocks) - 1):
                continue
            block = blocks[apart] if apart >= 0 else blocks[-apart].T
            target, column = (within, other) if other < layers else (between, other - layers)
            target[one * n : (one + 1) * n, column * n : (column + 1) * n] = block
    return within, between


def _indices(atoms: Any) -> IntArray:
    """Return the numbers of atoms, each once, or raise."""
    numbers = np.asarray(atoms)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not numbers.size:
        raise ValueError(f"atoms is {atoms!r}; expected numbers of atoms of the device.")
    if numbers.min() < 0 or len(np.unique(numbers)) < len(numbers):
        raise ValueError(f"atoms is {atoms!r}; expected each atom once, counted from 0.")
    return numbers.astype(np.int64)
