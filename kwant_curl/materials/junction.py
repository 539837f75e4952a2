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
from kwant_curl.materials.moved import AtomDisplacements
from kwant_curl.materials.reports import JunctionReport
from kwant_curl.materials.runs import runs_from_files
from kwant_curl.materials.system import junction_system
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

    Raises
    ------
    TypeError, ValueError
        For an overlap that is not positive definite, an end that is no layer of its electrode or is
        turned otherwise, and elements left out beyond `tolerance` (a layer that is too thin).

    Notes
    -----
    The value functions of `syst` return H - E S, with E in `params`.  Kwant's own energy is then 0:
    ``kwant.smatrix(junction.syst, 0, params={"E": energy})``.  Site i is atom ``keep[i]``, and the
    orbitals are in the order of the calculation.  The zero of energy is that of the calculation.

    Examples
    --------
    >>> junction = Junction(Calculation.from_xtb(atoms), electrode, align_electrodes=True)
    >>> junction.report()
    >>> kwant.smatrix(junction.syst, 0, params={"E": junction.fermi}).transmission(1, 0)
    """

    calculation: Calculation
    left: Electrode
    right: Electrode | None = None
    _: KW_ONLY
    keep: ArrayLike | None = None
    align_electrodes: bool = False
    tolerance: float = 0.01

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
        keep: ArrayLike | None = None,
        align_electrodes: bool = False,
        tolerance: float = 0.01,
    ) -> Self:
        """Return the junction of a device that is given by its matrices.

        Parameters
        ----------
        hamiltonian, overlap, atoms, orbitals, fermi, units
            As of `Calculation`; electrodes have units of their own.
        left, right, keep, align_electrodes, tolerance
            As of `Junction`.
        """
        calculation = Calculation(hamiltonian, overlap, atoms, orbitals, fermi=fermi, units=units)
        return cls(
            calculation,
            left,
            right,
            keep=keep,
            align_electrodes=align_electrodes,
            tolerance=tolerance,
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
        keep, align_electrodes, tolerance
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
        )

    @property
    def _parts(self) -> Parts:
        kept: IntArray = self.keep  # type: ignore[assignment]
        right: Electrode = self.right  # type: ignore[assignment]
        return Parts(self.calculation, kept, (self.left, right))

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
        return junction_system(self.device, self._parts.electrodes, shifts)

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
        return displacements_of(self._parts, runs, align, on_atom)


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
