"""A device between two electrodes, from matrices of a first-principles calculation."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from os import PathLike
from typing import Any, Self

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.coordinates import displacements_of
from kwant_curl.materials.differences import check_align
from kwant_curl.materials.electrode import Electrode
from kwant_curl.materials.inspection import Parts, common_level, inspected
from kwant_curl.materials.k_points import KPoints, check_directions, checked_k_points
from kwant_curl.materials.moved import AtomDisplacements
from kwant_curl.materials.reports import JunctionReport
from kwant_curl.materials.runs import runs_from_files
from kwant_curl.materials.system import Slice, junction_system
from kwant_curl.materials.transverse import same_lattice
from kwant_curl.support.checks import positive_number, true_or_false
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import EV_ANGSTROM_AMU, Units

__all__ = ["Junction"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Junction:
    """A device between two electrodes, from a first-principles calculation, in eV and Å.

    Parameters
    ----------
    calculation : Calculation
        Of the device, with one layer of each electrode at least; or of more atoms, see `keep`.
    left, right : Electrode
        What goes on at the ends; right None: the same as left.
    keep : sequence of int, optional
        Which atoms of the calculation make the device, in the order of the sites of `syst`.  The
        first ones are a layer of the left electrode, the last ones one of the right, each in the
        electrode's order.  None: all, as they are.
    align_electrodes : bool, default False
        Whether the zero of energy of the electrodes is shifted to that of the device's ends.
        Otherwise the electrodes are taken as they are, and `report` says by how much they differ.
        Their Fermi level is shifted with them: take `fermi` of the junction, not of an electrode.
    tolerance : float, default 0.01
        In eV, how large the elements of H - E_F S may be that are left out: between a layer and the
        one after the next, and between inner atoms of the device and those that `keep` leaves out.
    k_points : tuple of int, or pair of arrays, optional
        Of a junction that repeats across the current, a grid (n1, n2) centred at Gamma: n1 and n2
        points along the two reciprocal vectors of the calculation's `lattice`, k = (i/n1, j/n2).
        Or points of your own, (n_k, 2) in units of these vectors, with weights (n_k,) that sum to
        1: shifted grids are made so.  All points count, k and -k each.  One lattice vector: (n1,).

    Attributes
    ----------
    weights : array of float, shape (n_k,)
        Those of the k points, in the order of the copies in `syst`; one where nothing repeats.

    Raises
    ------
    TypeError, ValueError
        For an overlap that is not positive definite, an end that is no layer of its electrode or is
        turned otherwise, elements left out beyond `tolerance` (a layer that is too thin), parts
        that don't repeat alike across the current, and k points that don't go with it.

    Notes
    -----
    The value functions of `syst` return H - E S, with E in `params`.  Kwant's own energy is then 0:
    ``kwant.smatrix(junction.syst, 0, params={"E": energy})``.  Site i is atom ``keep[i]``, and the
    orbitals are in the order of the calculation.  The zero of energy is that of the calculation.

    With k points the system holds a copy of the device for each, site ``k * n_atoms + i``.  Copies
    don't couple; theirs are H(k) - E S(k), with M(k) = sum_R M_0R exp(2 pi i k R).  A lead holds
    all of its copies, as blocks of a conservation law.  Force, curl and the others are those of
    atoms that move in one cell alone, with the density of states between the cells 0 and R,
    sum_k w_k D(k) exp(-2 pi i k R).  Kwant's transmission is the sum over copies.  That of one is
    ``smatrix.transmission((1, k), (0, k))``; their average with `weights` is that of a cell.

    Examples
    --------
    >>> junction = Junction(chain, layer)
    >>> junction
    <Junction: 6 of 6 atoms, 6 orbitals; sound>
    >>> t = kwant.smatrix(junction.syst, 0, params={"E": junction.fermi}).transmission(1, 0)
    >>> print(f"{t:.6f}")
    1.000000
    """

    calculation: Calculation
    left: Electrode
    right: Electrode | None = None
    _: KW_ONLY
    keep: ArrayLike | None = None
    align_electrodes: bool = False
    tolerance: float = 0.01
    k_points: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.calculation, Calculation):
            raise TypeError(
                f"calculation is a {type(self.calculation).__name__}; expected a Calculation. "
                "Junction.from_arrays and Junction.from_sisl take matrices."
            )
        right = self.left if self.right is None else self.right
        for name, electrode in (("left", self.left), ("right", right)):
            if not isinstance(electrode, Electrode):
                raise TypeError(f"{name} is a {type(electrode).__name__}; expected an Electrode.")
        aligned = true_or_false("align_electrodes", self.align_electrodes)
        tolerance = positive_number("tolerance", self.tolerance)
        kept = read_only(_kept(self.keep, len(self.calculation)))
        k = _k_points(self.k_points, self.calculation, (self.left, right))
        object.__setattr__(self, "_k", k)
        object.__setattr__(self, "right", right)
        object.__setattr__(self, "keep", kept)
        object.__setattr__(self, "_report", inspected(self._parts, aligned, tolerance))

    def __repr__(self) -> str:
        return (
            f"<Junction: {len(self.device)} of {len(self.calculation)} atoms, "
            f"{self.device.orbitals.sum()} orbitals; {self.report().verdict}>"
        )

    @classmethod
    def from_arrays(
        cls,
        hamiltonian: Any,
        overlap: Any,
        atoms: Any,
        orbitals: ArrayLike,
        *,
        left: Electrode,
        right: Electrode | None = None,
        fermi: float | None = None,
        units: Units = EV_ANGSTROM_AMU,
        images: Mapping[Any, Any] | None = None,
        lattice: NDArray[np.float64] | None = None,
        keep: ArrayLike | None = None,
        align_electrodes: bool = False,
        tolerance: float = 0.01,
        k_points: Any = None,
    ) -> Self:
        """Return the junction of a device that is given by its matrices.

        Parameters
        ----------
        hamiltonian, overlap, atoms, orbitals, fermi, units, images, lattice
            As of `Calculation`; electrodes have units of their own.
        left, right, keep, align_electrodes, tolerance, k_points
            As of `Junction`.
        """
        calculation = Calculation(
            hamiltonian,
            overlap,
            atoms,
            orbitals,
            fermi=fermi,
            units=units,
            images=images,
            lattice=lattice,
        )
        return cls(
            calculation,
            left,
            right,
            keep=keep,
            align_electrodes=align_electrodes,
            tolerance=tolerance,
            k_points=k_points,
        )

    @classmethod
    def from_sisl(
        cls,
        device: Any,
        left: Any,
        right: Any = None,
        *,
        axis: int,
        spin: int = 0,
        keep: ArrayLike | None = None,
        align_electrodes: bool = False,
        tolerance: float = 0.01,
        k_points: Any = None,
    ) -> Self:
        """Return the junction of Hamiltonians of sisl, or of the files that have them.

        Parameters
        ----------
        device, left, right : sisl.Hamiltonian, or path
            The device, and the electrodes with elements to their neighbouring cells; or each an
            `Electrode`.  right None: the same as left.
        axis : {0, 1, 2}
            The lattice vector along which current flows, of all three.
        spin : int, default 0
            Which one of a collinear calculation.
        keep, align_electrodes, tolerance, k_points
            As of `Junction`.

        Notes
        -----
        sisl's zero of energy is the Fermi level, of each calculation.
        """

        def electrode(given: Any) -> Electrode:
            if isinstance(given, Electrode):
                return given
            return Electrode.from_sisl(given, axis, spin=spin)

        return cls(
            Calculation.from_sisl(device, axis=axis, spin=spin),
            electrode(left),
            None if right is None else electrode(right),
            keep=keep,
            align_electrodes=align_electrodes,
            tolerance=tolerance,
            k_points=k_points,
        )

    @property
    def _parts(self) -> Parts:
        kept: IntArray = self.keep  # type: ignore[assignment]
        right: Electrode = self.right  # type: ignore[assignment]
        return Parts(self.calculation, kept, (self.left, right), vars(self)["_k"])

    @property
    def weights(self) -> NDArray[np.float64]:
        """Those of the k points, (n_k,), in the order of the copies in `syst`."""
        return self._parts.k.weights

    def k_average(self, values: ArrayLike) -> NDArray[Any]:
        """Return the average over k points of something that each site of `syst` has.

        values: (n_k * n_atoms, ...), as `NonequilibriumDensity.density` returns them.  Returns
        sum_k w_k values(k), (n_atoms, ...): that of the atoms of a cell.
        """
        given = np.asarray(values)
        n_atoms = len(self._parts.kept)
        shape = (len(self.weights) * n_atoms,)
        if given.shape[:1] != shape:
            raise ValueError(
                f"values has shape {given.shape}; expected {shape[0]} entries, one for each site "
                "of syst."
            )
        copies = given.reshape(len(self.weights), n_atoms, *given.shape[1:])
        return np.tensordot(self.weights, copies, axes=1)

    @cached_property
    def device(self) -> Calculation:
        """The part of the calculation that makes the device, in the order of the sites."""
        return self.calculation.part(self._parts.kept)

    def report(self) -> JunctionReport:
        """Return how well device and electrodes fit, in numbers, with a verdict."""
        report: JunctionReport = vars(self)["_report"]
        return report

    @property
    def fermi(self) -> float:
        """The Fermi level of the electrodes in the energies of `syst`, shifted as they are, in eV.

        `Electrode.fermi` is that before the shift of `align_electrodes`.

        Raises
        ------
        ValueError
            If an electrode has none, or if those of both are more than 5 meV apart.
        """
        return common_level(self.report())

    @cached_property
    def syst(self) -> FiniteSystem:
        """The finalized Kwant system, whose value functions return H - E S: energy 0 is its own."""
        report = self.report()
        shifts = report.shift if report.aligned else np.zeros(2)
        left, right = self._parts.electrodes
        slices = [
            Slice(self.device.at(point), (left.at(point), right.at(point)))
            for point in self._parts.k.points
        ]
        return junction_system(slices, (left, right), shifts)

    def displacements(
        self,
        runs: Mapping[Any, Any] | str | PathLike[str],
        *,
        align: str | ArrayLike,
        atoms: ArrayLike | None = None,
        pattern: str = "{atom}{axis}{sign}.TSHS",
        axis: int | None = None,
        spin: int = 0,
        on_atom: Mapping[int, ArrayLike] | None = None,
    ) -> AtomDisplacements:
        """Return the coordinates of atoms, from calculations with one of them displaced at a time.

        Parameters
        ----------
        runs : mapping, or path of a directory
            ``{(atom, axis): (plus, minus)}``: two `Calculation` of all atoms, with this one moved
            by +h and -h along "x", "y" or "z" (or 0, 1, 2); atoms are numbered as in the junction's
            calculation, and each that moves moves in all three directions.  Or a directory of
            files that sisl reads, then with `atoms`, `pattern`, `axis` and `spin`.
        align : {"fermi", "lead"}, number, or array (n_c,)
            Which energy is the same in all displaced calculations: the Fermi level of each, that of
            the ends of the device (the electrodes stay where they are), or one whose change per
            displacement is given in eV/Å: 0 leaves the matrices as they are.  Its dE/dR S is
            subtracted from dH.  The report says what each would change.
        atoms : sequence of int, optional
            The atoms whose files are read.
        pattern : str
            Names of the files, with ``{atom}``, ``{axis}`` (x, y, z) and ``{sign}`` (+, -).
        axis, spin
            As of `Calculation.from_sisl`.
        on_atom : mapping, optional
            ``{atom: array (3, n, n)}``: <phi_i|d phi_j/dR> between orbitals of one atom, in 1/Å, of
            all that move.  They are in no overlap matrix; with them `one_sided` is known.
            `Calculation.xtb_on_atom` finds those of xTB.

        Returns
        -------
        AtomDisplacements
            In the order of the sites of `syst`; its `report()` has numbers with a verdict.

        Raises
        ------
        TypeError, ValueError, FileNotFoundError
            For a displacement that is missing, or of another geometry, or of atoms at the ends.
        """
        check_align(align)
        if isinstance(runs, str | PathLike):
            if atoms is None:
                raise ValueError("atoms is None; expected the atoms whose files are to be read.")
            numbers = np.atleast_1d(np.asarray(atoms)).tolist()
            runs = runs_from_files(runs, numbers, pattern, axis, spin)
        elif atoms is not None:
            raise ValueError("atoms goes with a directory; a mapping names them itself.")
        return displacements_of(self._parts, runs, align, on_atom, self.tolerance)


def _k_points(
    given: Any, calculation: Calculation, electrodes: tuple[Electrode, Electrode]
) -> KPoints:
    """Return the k points across the current, one of no components where nothing repeats."""
    lattice = calculation.lattice
    parts = zip(("left", "right"), electrodes, strict=True)
    for name, electrode in parts:
        if not same_lattice(lattice, electrode.lattice):
            vectors = [
                "nothing" if part is None else f"{np.round(np.asarray(part), 4).tolist()} Å"
                for part in (lattice, electrode.lattice)
            ]
            raise ValueError(
                f"Across the current the device repeats by {vectors[0]}, the {name} electrode by "
                f"{vectors[1]}; expected the same lattice vectors, in the same order."
            )
    if lattice is None:
        if given is not None:
            raise ValueError(
                f"k_points is {given!r}, but nothing repeats across the current: the calculation "
                "has no lattice= and images=. Leave k_points out."
            )
        return KPoints(np.zeros((1, 0)), np.ones(1))
    if given is None:
        raise ValueError(
            "The junction repeats across the current, but k_points is not given; expected "
            "k_points=(n1, n2), the numbers of transverse k points along each lattice vector, "
            "(1, 1) for Gamma alone."
        )
    k = checked_k_points(given, len(lattice))
    check_directions(k, [cell for part in (calculation, *electrodes) for cell in part.images or ()])
    return k


def _kept(keep: ArrayLike | None, n_atoms: int) -> IntArray:
    """Return which atoms make the device, or raise."""
    if keep is None:
        return np.arange(n_atoms)
    kept = np.asarray(keep)
    if kept.ndim != 1 or kept.dtype.kind not in "iu" or not len(kept):
        raise ValueError(f"keep is {keep!r}; expected numbers of atoms.")
    if kept.min() < 0 or kept.max() >= n_atoms or len(np.unique(kept)) < len(kept):
        raise ValueError(
            f"keep names atoms twice, or beyond 0 to {n_atoms - 1}; expected each atom once."
        )
    return kept.astype(np.int64)
