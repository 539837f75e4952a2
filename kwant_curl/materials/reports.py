"""What a junction, and its displaced calculations, are worth, in numbers with a verdict."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.frozen import Frozen

__all__ = ["DisplacementReport", "JunctionReport"]

FloatArray = NDArray[np.float64]


def _number(value: float, unit: str = "eV") -> str:
    return "not known" if np.isnan(value) else f"{value:.3g} {unit}".rstrip()


def _level(value: float) -> str:
    return "not known" if np.isnan(value) else f"{value:.5f} eV"


def _verdict(doubts: tuple[str, ...]) -> str:
    return "\n".join(
        ["verdict: doubtful", *(f"- {d}" for d in doubts)] if doubts else ["verdict: sound"]
    )


@dataclass(frozen=True, eq=False, repr=False)
class JunctionReport(Frozen):
    """How well a device and its electrodes fit, and what was left out of their matrices.

    Energies are in eV.  Arrays (2,) are of the left and the right end.

    Attributes
    ----------
    asymmetry : array (2,)
        The largest elements of what was not Hermitian in H (eV) and in S, and was taken out.
    overlap : float
        The smallest eigenvalue of the overlap of the device.
    overlap_electrodes : array (2,)
        Those of the electrodes.
    beyond, beyond_overlap : array (2,)
        The largest elements of H and of S between a layer of an electrode and the one after the
        next, which are left out; NaN where the electrode doesn't know.
    cut : float
        The largest element of H - E_F S between the inner atoms of the device and atoms that were
        left out.
    dropped : float
        The largest element of H between periodic images of the device, which were left out: the
        electrodes take their place.
    shift : array (2,)
        By how much the zero of energy of the device lies above that of the electrode: H of the end
        of the device is closest to H + shift S of the electrode.
    aligned : bool
        Whether the electrodes were shifted by that.
    mismatch, mismatch_overlap : array (2,)
        The largest difference of H, after the shift, and of S of the device's end and a layer.
    mismatch_coupling : array (2,)
        The same of H between the device's end and a neighbouring layer, where the calculation has
        one; NaN where it has none.
    fermi : array (3,)
        The Fermi levels of the device's calculation, of the left and the right electrode, each in
        the zero of energy of its own; NaN where there is none.
    levels : array (2,)
        The Fermi levels of the electrodes in the zero of energy of the device: those of `fermi`,
        and the shift where the electrodes were shifted.
    doubts : tuple of str
        What is beyond the tolerance, and what to do; none if the verdict is "sound".

    Examples
    --------
    >>> report = Junction(chain, layer).report()
    >>> report.doubts
    ()
    >>> report.levels
    array([0., 0.])
    """

    DIMENSIONS: ClassVar[dict[str, tuple[str, ...]]] = {
        "asymmetry": ("matrix",),
        "overlap_electrodes": ("end",),
        "beyond": ("end",),
        "beyond_overlap": ("end",),
        "shift": ("end",),
        "mismatch": ("end",),
        "mismatch_overlap": ("end",),
        "mismatch_coupling": ("end",),
        "fermi": ("part",),
        "levels": ("end",),
    }

    asymmetry: FloatArray
    overlap: float
    overlap_electrodes: FloatArray
    beyond: FloatArray
    beyond_overlap: FloatArray
    cut: float
    dropped: float
    shift: FloatArray
    aligned: bool
    mismatch: FloatArray
    mismatch_overlap: FloatArray
    mismatch_coupling: FloatArray
    fermi: FloatArray
    levels: FloatArray
    doubts: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Either "sound" or "doubtful"."""
        return "doubtful" if self.doubts else "sound"

    def __repr__(self) -> str:
        moved = "shifted by it" if self.aligned else "not shifted"
        lines = [
            "JunctionReport",
            f"not Hermitian, taken out: H {self.asymmetry[0]:.2g} eV, S {self.asymmetry[1]:.2g}",
            f"smallest eigenvalue of S: {self.overlap:.3g}; of the electrodes "
            + ", ".join(f"{value:.3g}" for value in self.overlap_electrodes),
            f"inner atoms to atoms left out: {_number(self.cut)}",
            f"to periodic images, left out: {_number(self.dropped)}",
        ]
        for end, name in enumerate(("left", "right")):
            lines += [
                f"{name} electrode, Fermi level {_level(self.levels[end])} "
                f"({_level(self.fermi[1 + end])} before a shift):",
                f"  beyond the next layer, left out: {_number(self.beyond[end])}, "
                f"S {_number(self.beyond_overlap[end], '')}",
                f"  zero of energy: the device's is {_number(self.shift[end])} above; {moved}",
                f"  the device's end differs by {_number(self.mismatch[end])}, "
                f"S {_number(self.mismatch_overlap[end], '')}",
                f"  its coupling by {_number(self.mismatch_coupling[end])}",
            ]
        return "\n".join([*lines, _verdict(self.doubts)])


@dataclass(frozen=True, eq=False, repr=False)
class DisplacementReport(Frozen):
    """What displaced calculations say of the derivatives that are made of them.

    Coordinates are ordered atom by atom, x, y, z.

    Attributes
    ----------
    align : str
        Which zero of energy the derivatives have.
    step : float
        How far atoms were displaced to either side, in Å; the largest.
    zero_fermi, zero_lead : array (n_c,)
        How the zero of energy would move per displacement, in eV/Å, with the Fermi level of the
        displaced calculations (NaN if they have none), and with the ends of the device.
    zero_used : array (n_c,)
        What was taken: dH is dH - zero S.
    change : array (n_c,)
        The largest element of dH before that, in eV/Å, for comparison.
    ends : float
        The largest element of dH at the ends of the device, which the electrodes don't follow, in
        eV/Å.
    translation_overlap : float
        The largest element of the sum of dS over all atoms that were moved, between orbitals of
        these, relative to the largest dS; zero but for the error of the differences.
    translation : float
        The same of dH; what the atoms that were not moved contribute.
    overlap : float
        The largest element of dS, in 1/Å.
    drift : float
        The largest sum of the forces on all atoms, per displacement, in eV/Å^2, before the sum
        rule; NaN without forces.
    asymmetry : float
        The largest difference of a force constant and its transpose, in eV/Å^2; NaN without forces.
    own_images : float
        With k points, the largest element of H - E_F S between an atom that moves and its own
        images, in eV, of whose change nothing is known; NaN without.
    between : float
        With k points, the largest element of dH, in eV/Å, between orbitals of other atoms that are
        about as near to another image of the atom that moves; NaN without.
    doubts : tuple of str
        What is beyond the tolerance, and what to do; none if the verdict is "sound".

    Examples
    --------
    >>> report = Junction(chain, layer).displacements(displaced, align=0).report()
    >>> print(f"{report.change.max():.4f}")
    1.0000
    >>> report.doubts
    ()
    """

    DIMENSIONS: ClassVar[dict[str, tuple[str, ...]]] = {
        name: ("coordinate",) for name in ("zero_fermi", "zero_lead", "zero_used", "change")
    }

    align: str
    step: float
    zero_fermi: FloatArray
    zero_lead: FloatArray
    zero_used: FloatArray
    change: FloatArray
    ends: float
    translation_overlap: float
    translation: float
    overlap: float
    drift: float
    asymmetry: float
    own_images: float = np.nan
    between: float = np.nan
    doubts: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Either "sound" or "doubtful"."""
        return "doubtful" if self.doubts else "sound"

    def __repr__(self) -> str:
        lines = [
            f"DisplacementReport: {len(self.change)} coordinates, zero of energy: {self.align}",
            f"largest dH {_number(self.change.max(), 'eV/Å')}, dS {_number(self.overlap, '1/Å')}, "
            f"from steps of {self.step:.3g} Å",
            "the zero of energy moves, at most: "
            + "; ".join(
                f"{name} {_number(np.abs(moves).max(), 'eV/Å')}"
                for moves, name in (
                    (self.zero_fermi, "with the Fermi level"),
                    (self.zero_lead, "with the ends"),
                    (self.zero_used, "subtracted"),
                )
            ),
            f"dH at the ends, where the electrodes are fixed: {_number(self.ends, 'eV/Å')}",
            f"sum over displaced atoms, relative: dS {self.translation_overlap:.2g}, dH "
            f"{self.translation:.2g}",
            f"force constants: drift {_number(self.drift, 'eV/Å²')}, asymmetry "
            f"{_number(self.asymmetry, 'eV/Å²')}",
        ]
        if not np.isnan(self.own_images):
            lines.append(
                f"images across the current: of atoms that move {_number(self.own_images)}, dH "
                f"shared with them {_number(self.between, 'eV/Å')}"
            )
        return "\n".join([*lines, _verdict(self.doubts)])
