"""Whether a device and its electrodes make a junction: numbers, errors, doubts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.materials.arrays import largest, orbitals_of, smallest_eigenvalue
from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.electrode import Electrode
from kwant_curl.materials.ends import End, check_place, compared
from kwant_curl.materials.k_points import KPoints, without_opposites
from kwant_curl.materials.layers import smallest_overlap
from kwant_curl.materials.reports import JunctionReport

__all__ = ["LEFT_OUT", "Parts", "common_level", "inspected"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEFT_OUT = 0.01
"""How large, in eV, what is left out may be without a doubt, whatever the tolerance."""

OTHER_ZERO = 0.05
"""By how much, in eV, the zeros of energy of device and electrode may differ, if not aligned."""

OTHER_END = 0.05
"""By how much, in eV, a device's end may differ from its electrode beside that."""

SAME_LEVEL = 0.005
"""By how much, in eV, the Fermi levels of two electrodes without bias may differ."""

NAMES = ("left", "right")


class Parts(NamedTuple):
    """A calculation, those of its atoms that make the device, the electrodes, and k points."""

    calculation: Calculation
    kept: IntArray
    electrodes: tuple[Electrode, Electrode]
    k: KPoints

    @property
    def ends(self) -> tuple[IntArray, IntArray]:
        """The atoms of the calculation at the left and the right end of the device."""
        left, right = map(len, self.electrodes)
        return self.kept[:left], self.kept[len(self.kept) - right :]


def inspected(parts: Parts, aligned: bool, tolerance: float) -> JunctionReport:
    """Return what there is to say of the parts, or raise if they don't make a junction."""
    calculation, kept, electrodes, k = parts
    n_ends = sum(map(len, electrodes))
    if len(kept) < n_ends:
        raise ValueError(
            f"The device has {len(kept)} atoms, the layers at its ends {n_ends}; expected one "
            "layer of each electrode at least."
        )
    device = calculation.part(kept)
    smallest = _smallest(device, electrodes, k)
    layers = np.arange(len(electrodes[0])), np.arange(len(kept) - len(electrodes[1]), len(kept))
    for name, electrode, atoms in zip(NAMES, electrodes, layers, strict=True):
        check_place(device, electrode, atoms, name)
    ends = [
        compared(calculation, electrode, atoms, name)
        for name, electrode, atoms in zip(NAMES, electrodes, parts.ends, strict=True)
    ]
    beyond = [_beyond(electrode) for electrode in electrodes]
    fermi, levels = _fermi_levels(parts, ends, aligned)
    cut = _cut(parts, levels[0])
    _check_thickness(beyond, cut, tolerance)
    asymmetry = [part.asymmetry for part in (calculation, *electrodes)]
    return JunctionReport(
        asymmetry=np.max(asymmetry, axis=0),
        overlap=smallest[0],
        overlap_electrodes=np.array(smallest[1:]),
        beyond=np.array([size for size, _ in beyond]),
        beyond_overlap=np.array([size for _, size in beyond]),
        cut=cut,
        dropped=calculation.dropped,
        shift=np.array([end.shift for end in ends]),
        aligned=aligned,
        mismatch=np.array([end.mismatch for end in ends]),
        mismatch_overlap=np.array([end.mismatch_overlap for end in ends]),
        mismatch_coupling=np.array([end.mismatch_coupling for end in ends]),
        fermi=fermi,
        levels=levels,
        doubts=(
            _doubts(ends, beyond, aligned)
            + _left_out(beyond, cut)
            + _unequal_levels(levels)
            + without_opposites(k)
        ),
    )


def _smallest(
    device: Calculation, electrodes: tuple[Electrode, Electrode], k: KPoints
) -> list[float]:
    """Return the smallest eigenvalues of the overlaps of device and electrodes at all k points."""
    found = []
    for point in k.points:
        layers = [electrode.at(point) for electrode in electrodes]
        found.append(
            [smallest_eigenvalue(device.at(point).overlap)]
            + [smallest_overlap(layer.overlap, layer.coupling_overlap) for layer in layers]
        )
    smallest = np.min(found, axis=0).tolist()
    names = ("device", *(f"{name} electrode" for name in NAMES))
    for name, value in zip(names, smallest, strict=True):
        if value <= 0:
            raise ValueError(
                f"The overlap of the {name} is not positive definite: its smallest eigenvalue is "
                f"{value:.3g}. Expected that of linearly independent orbitals."
            )
    return [float(value) for value in smallest]


def _beyond(electrode: Electrode) -> tuple[float, float]:
    """Return the largest elements that an electrode leaves out, NaN where it doesn't know."""
    return (np.nan, np.nan) if electrode.beyond is None else electrode.beyond


def _fermi_levels(parts: Parts, ends: list[End], aligned: bool) -> tuple[FloatArray, FloatArray]:
    """Return the Fermi levels (3,) of all parts, and those (2,) of the electrodes as shifted."""
    found = [part.fermi for part in (parts.calculation, *parts.electrodes)]
    fermi = np.array([np.nan if level is None else level for level in found])
    shift = np.array([end.shift if aligned else 0.0 for end in ends])
    return fermi, fermi[1:] + shift


def _cut(parts: Parts, level: float) -> float:
    """Return the largest element of H - E_F S between inner atoms and those that are left out."""
    calculation, kept, (left, right), _ = parts
    others = np.setdiff1d(np.arange(len(calculation)), kept)
    inner = kept[len(left) : len(kept) - len(right)]
    rows, cols = (orbitals_of(atoms, calculation.orbitals) for atoms in (inner, others))
    if np.isnan(level):
        level = calculation.fermi or 0.0
    overlaps = calculation.by_cell("overlap")
    return max(
        largest((hamiltonian - level * overlaps[cell])[rows][:, cols])
        for cell, hamiltonian in calculation.by_cell("hamiltonian").items()
    )


def _check_thickness(beyond: list[tuple[float, float]], cut: float, tolerance: float) -> None:
    """Raise if what is left out is more than the tolerance."""
    for name, (size, overlap) in zip(NAMES, beyond, strict=True):
        if size > tolerance:
            raise ValueError(
                f"A layer of the {name} electrode is too thin: it couples to the one after the "
                f"next by up to {size:.3g} eV (overlap {overlap:.3g}), more than "
                f"tolerance={tolerance}. Take more atoms into a layer (sisl: "
                "hamiltonian.tile(2, axis))."
            )
    if cut > tolerance:
        raise ValueError(
            f"Inner atoms of the device couple to atoms that keep= leaves out by up to {cut:.3g} "
            f"eV, more than tolerance={tolerance}. Keep more atoms at the ends, or take thicker "
            "layers."
        )


def _doubts(ends: list[End], beyond: list[tuple[float, float]], aligned: bool) -> tuple[str, ...]:
    """Return what is beyond what one would like."""
    doubts = []
    for name, end, (size, _) in zip(NAMES, ends, beyond, strict=True):
        if abs(end.shift) > OTHER_ZERO and not aligned:
            doubts.append(
                f"the zero of energy of the {name} electrode is {-end.shift:.3g} eV above that of "
                "the device's end: electrons are scattered where they meet; see align_electrodes"
            )
        worst = np.fmax(end.mismatch, end.mismatch_coupling)
        if worst > OTHER_END:
            doubts.append(
                f"the {name} end of the device differs from the electrode by {worst:.3g} eV beside "
                "the zero of energy; put more of the electrode into the calculation"
            )
        if np.isnan(end.mismatch_coupling):
            doubts.append(
                f"whether layers of the {name} electrode couple as those of the device do isn't "
                "known: no layer lies at the electrode's period from the device's end; put "
                "two layers of it into the calculation, and check its period"
            )
        if np.isnan(size):
            doubts.append(
                f"what the {name} electrode couples beyond the next layer isn't known; give beyond="
            )
    return tuple(doubts)


def _left_out(beyond: list[tuple[float, float]], cut: float) -> tuple[str, ...]:
    """Return what is left out, and by a larger tolerance was let through."""
    doubts = [
        f"a layer of the {name} electrode couples to the one after the next by up to {size:.3g} "
        "eV, which is left out; take more atoms into a layer"
        for name, (size, _) in zip(NAMES, beyond, strict=True)
        if size > LEFT_OUT
    ]
    if cut > LEFT_OUT:
        doubts.append(
            f"inner atoms of the device couple to atoms that keep= leaves out by up to {cut:.3g} "
            "eV; keep more atoms"
        )
    return tuple(doubts)


def _unequal_levels(levels: FloatArray) -> tuple[str, ...]:
    """Return what is wrong with the Fermi levels of the electrodes, if both are known."""
    apart = abs(levels[0] - levels[1])
    if not apart > SAME_LEVEL:
        return ()
    return (
        f"the Fermi levels of the electrodes are {levels[0]:.5f} and {levels[1]:.5f} eV, in the "
        f"device's zero of energy: {apart:.3g} eV apart without a bias, more than {SAME_LEVEL}; "
        "see align_electrodes, or take the electrodes from one calculation",
    )


def common_level(report: JunctionReport) -> float:
    """Return the Fermi level that both electrodes have, in the device's energies, or raise."""
    levels = report.levels
    if unknown := [name for name, level in zip(NAMES, levels, strict=True) if np.isnan(level)]:
        raise ValueError(
            f"The Fermi level of the {' and the '.join(unknown)} electrode isn't known; expected "
            "that of both. Give fermi= or electrons= to Electrode."
        )
    if wrong := _unequal_levels(levels):
        raise ValueError(
            f"The junction has no Fermi level: {wrong[0]}. report().levels has both, if you know "
            "which energy you want."
        )
    return float(levels.mean())
