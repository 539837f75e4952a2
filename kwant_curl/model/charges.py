"""Electrons and holes: which orbitals of a Nambu (Bogoliubov-de Gennes) model are which."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from kwant.builder import SiteFamily
from kwant.physics import DiscreteSymmetry
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.model.leads import Lead
from kwant_curl.model.orbitals import orbital_offsets

__all__ = ["Charge", "charge_operator", "check_charge", "with_charges"]

ComplexArray = NDArray[np.complex128]
Charge = ArrayLike | Mapping[SiteFamily, ArrayLike] | None

ROUNDING = 1e-10
"""How far charges may be from +1 and -1."""

PAIRING = 1e-12
"""Below this part of a lead's Hamiltonian, what mixes electrons and holes is rounding."""

MIXED = 1e-8
"""The same for self-energies, which have the errors of their modes."""


def check_charge(charge: Any) -> None:
    """Raise unless `charge` is of a kind that `charge_operator` takes, whatever its values."""
    values = charge.values() if isinstance(charge, Mapping) else [charge]
    for value in values:
        if callable(value) or np.asarray(value).dtype.kind not in "iufc":
            raise TypeError(
                f"charge is {charge!r}; expected +1 for electrons and -1 for holes: a number, the "
                "numbers of the orbitals of a site or a matrix, one for all site families or "
                "{family: one}."
            )


def charge_operator(charge: Any, syst: Any, n_sites: int) -> Any:
    """Return the charge of the orbitals of the first `n_sites` sites, a sparse CSR matrix.

    syst: finite or infinite; charge: what the user gave.
    """
    offsets = orbital_offsets(syst)[: n_sites + 1]
    norbs = np.diff(offsets)
    sites = getattr(syst, "sites", None)
    if sites is None and isinstance(charge, Mapping):
        raise TypeError(
            "charge is given by site family, but the system has no sites; give one matrix."
        )
    families = [None if sites is None else sites[i].family for i in range(n_sites)]
    members: dict[Any, list[int]] = {}
    for i, kind in enumerate(zip(families, norbs.tolist(), strict=True)):
        members.setdefault(kind, []).append(i)
    row, col, value = [], [], []
    for (family, count), some in members.items():
        block = _on_a_site(charge, family, count)
        there, here = np.nonzero(block)
        first = offsets[some][:, None]
        row.append((first + there).ravel())
        col.append((first + here).ravel())
        value.append(np.tile(block[there, here], len(some)))
    elements = np.concatenate(value), (np.concatenate(row), np.concatenate(col))
    return sparse.csr_array(elements, shape=(offsets[-1], offsets[-1]))


def _on_a_site(charge: Any, family: Any, norbs: int) -> ComplexArray:
    """Return the matrix (norbs, norbs) of a site, or raise unless its eigenvalues are +1 and -1."""
    where = "" if family is None else f" of {family}"
    if isinstance(charge, Mapping):
        if family not in charge:
            raise ValueError(
                f"charge does not name the site family {family}; give every family +1 for "
                "electrons and -1 for holes."
            )
        charge = charge[family]
    array: ComplexArray = np.asarray(charge, dtype=complex)
    matrix: ComplexArray = array * np.eye(norbs) if array.ndim == 0 else array
    if array.ndim == 1:
        matrix = np.diag(array)
    if matrix.shape != (norbs, norbs):
        raise ValueError(
            f"charge{where} has shape {array.shape}; expected {(norbs, norbs)}, the {norbs} "
            "numbers of its diagonal, or one number."
        )
    if np.abs(matrix - matrix.conj().T).max() > ROUNDING:
        raise ValueError(f"charge{where} is not Hermitian.")
    if np.abs(matrix @ matrix - np.eye(norbs)).max() > ROUNDING:
        raise ValueError(
            f"charge{where} has the eigenvalues {np.linalg.eigvalsh(matrix).round(6).tolist()}; "
            "expected +1 for electrons and -1 for holes."
        )
    return matrix


def with_charges(lead: Lead, builder: Any, charge: Any, at_interface: Any) -> Lead:
    """Return a lead whose states come in as electrons and as holes, each by themselves.

    A superconducting one, which mixes them, is left as it is, with the charge 0.

    Parameters
    ----------
    lead : Lead
        The lead at its params.
    builder : kwant.system.InfiniteSystem or other lead
        The lead as Kwant has it.
    charge : what the user gave
    at_interface : array (n_interface, n_interface)
        The charge of the orbitals to which it is attached.
    """
    projectors = _projectors(at_interface)
    if lead.cells is None or getattr(builder, "site_ranges", None) is None:
        mixes = _mixes(lead.any_selfenergy(0.0), at_interface, at_interface, MIXED)
    else:
        inside = charge_operator(charge, builder, builder.cell_size).toarray()
        cell, hopping = lead.cells.cell_hamiltonian(), lead.cells.inter_cell_hopping()
        size = max(np.abs(cell).max(initial=0.0), np.abs(hopping).max(initial=0.0))
        beyond = inside[: hopping.shape[1], : hopping.shape[1]]
        mixes = any(
            _mixes(part, inside, right, PAIRING, size)
            for part, right in ((cell, inside), (hopping, beyond))
        )
    if mixes:
        return replace(lead, charges=(0,))
    if lead.source is not lead.cells or lead.cells is None:
        return replace(lead, charges=tuple(projectors), projectors=tuple(projectors.values()))
    blocks = _projectors(inside)
    symmetry = DiscreteSymmetry(projectors=[sparse.csr_matrix(block) for block in blocks.values()])
    cells = lead.cells.with_symmetry(symmetry)
    return replace(lead, source=cells, cells=cells, charges=tuple(blocks))


def _mixes(
    matrix: ComplexArray,
    left: ComplexArray,
    right: ComplexArray,
    tolerance: float,
    size: float | None = None,
) -> bool:
    """Return whether a matrix takes electrons to holes."""
    scale = np.abs(matrix).max(initial=0.0) if size is None else size
    mixing = np.abs(left @ matrix - matrix @ right).max(initial=0.0)
    return bool(mixing > tolerance * scale)


def _projectors(charge: ComplexArray) -> dict[int, ComplexArray]:
    """Return bases of the electrons' and of the holes' orbitals as columns, those there are."""
    values, vectors = np.linalg.eigh(charge)
    return {q: vectors[:, q * values > 0] for q in (1, -1) if (q * values > 0).any()}
