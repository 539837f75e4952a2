"""Orbitals that overlap and move: what that adds to tensors between two energies, or in time.

i S dc/dt = (H - i sum_J dQ_J/dt N_J) c with N_J = <phi|d phi/dQ_J>: between an initial energy E and
a final one E' a coordinate couples by dH/dQ - E' N - E N^+.  The sum N + N^+ = dS/dQ is known from
the model; of N alone one half of it is taken unless it is given.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from kwant_curl.algebra.by_energy import ByEnergy
from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Factors, SecondDerivatives
from kwant_curl.coordinates import (
    changes_by_energy,
    field_strengths_of,
    gauge_notices,
    one_sided_overlaps_of,
)
from kwant_curl.electrons.kernels.operators import moved_factors
from kwant_curl.model.model import Model

__all__ = ["Carried", "carried_orbitals", "moved_orbitals"]


class Carried(NamedTuple):
    """What the velocity tensor needs of orbitals that are carried along: see `Operators`.

    changes: of the forces with energy; notices: what is to be said.
    """

    fields: SecondDerivatives | None = None
    changes: ByEnergy[Derivatives] | None = None
    moved: Factors | None = None
    notices: tuple[str, ...] = ()

    @property
    def operators(self) -> tuple[Any, Any, Any]:
        """Those of them that are operators."""
        return self[:3]


def moved_orbitals(
    coordinates: Any, model: Model, forces: ByEnergy[Derivatives], energy: float, what: str
) -> tuple[Sequence[Any] | None, tuple[str, ...]]:
    """Return the one-sided overlaps, or None and what is said of `what` where they matter.

    energy: the Fermi level.
    """
    changes = changes_by_energy(forces, model.energy_unit)
    if changes is None:
        return None, ()
    known = one_sided_overlaps_of(coordinates, model)
    if known is not None:
        return known, ()
    overlaps, all_forces = (
        2 * float(np.abs(some.at(energy).values).max(initial=0.0)) for some in (changes, forces)
    )
    if not overlaps:
        return None, ()
    return None, (
        f"The orbitals overlap, and {what} depends on the one-sided overlaps <phi|d phi/dQ>, which "
        "aren't known: half of dS/dQ stands for them. Elements of dS/dQ are as large as "
        f"{overlaps:.3g}, those of dH/dQ - E dS/dQ as {all_forces:.3g}. Give them if you can: "
        "Matrices(..., one_sided=...), or on_atom= for the displacements of a Junction.",
    )


def carried_orbitals(
    coordinates: Any,
    model: Model,
    forces: ByEnergy[Derivatives],
    energy: float,
    *,
    fermi_sea: bool,
) -> Carried:
    """Return what the velocity tensor needs of orbitals that are carried along."""
    fields = field_strengths_of(coordinates, model)
    what = "the velocity tensor"
    known, unknown = moved_orbitals(coordinates, model, forces, energy, what)
    notices = gauge_notices(coordinates, model, forces.at(energy), what) + unknown
    changes = changes_by_energy(forces, model.energy_unit)
    if changes is not None and fields is not None:
        raise ValueError(
            "vector_potential and energy_parameter are both given; the velocity tensor of orbitals "
            "that overlap in a magnetic field is not available. Leave vector_potential out."
        )
    if known is None:
        return Carried(fields, changes, None, notices)
    if fermi_sea:
        raise ValueError(
            "fermi_sea=True is not available with one-sided overlaps; leave them out (half of "
            "dS/dQ stands for them), or fermi_sea."
        )
    curvatures = _curvatures(known, model.overlap())
    return Carried(curvatures, changes, moved_factors(known), notices)


def _curvatures(one_sided: Any, overlap: Any) -> SecondDerivatives:
    """Return halves of i (N_I^+ S^-1 N_J - N_J^+ S^-1 N_I) of all pairs.

    That is d_I N_J - d_J N_I times i where the orbitals span the same space wherever atoms are.
    """
    solver = splu(sparse.csc_array(overlap).astype(complex))
    columns = [np.unique(sparse.csc_array(n).tocoo().col) for n in one_sided]
    blocks = [sparse.csc_array(n)[:, c].toarray() for n, c in zip(one_sided, columns, strict=True)]
    solved = [solver.solve(block) for block in blocks]
    parts = []
    for i, bra in enumerate(blocks):
        for j, ket in enumerate(solved):
            if i == j:
                continue
            value = 1j * (bra.conj().T @ ket)
            row, col = np.meshgrid(columns[i], columns[j], indexing="ij")
            shape = np.full(value.size, i), np.full(value.size, j)
            half = SecondDerivatives(*shape, row.ravel(), col.ravel(), value.ravel())
            parts.append(half)
    if not parts:
        return SecondDerivatives.empty()
    return SecondDerivatives(*(np.concatenate(part) for part in zip(*parts, strict=True)))
