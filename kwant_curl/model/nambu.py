"""Nambu (Bogoliubov-de Gennes) models are recognised where leads say what they conserve."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.model.leads import Cells, Lead
from kwant_curl.model.orbitals import orbital_offsets

__all__ = ["said_of_holes"]

ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

PARTNERS = 1e-9
"""How far blocks of a lead may be from particle-hole partners, relative to their elements."""

CURE = (
    "One chemical potential shifts them in opposite directions. Say which orbitals are which: "
    "charge=..., +1 for electrons and -1 for holes, a matrix (norbs, norbs) for all site families "
    "or {family: matrix}; charge=1 if all of them are electrons. An operator takes it in "
    "bind(charge=...), or by its Model(syst, params, charge=...)."
)


def said_of_holes(syst: Any, evaluated: Callable[[int], Lead]) -> str | None:
    """Return what is said of a system that holds electrons and holes, None if none does.

    It, or a lead of it, declares a particle-hole symmetry, or a lead holds them in two blocks of
    its conservation law.

    evaluated: returns a lead, by its number, at its params; asked where a lead has such a law.
    """
    if _declares_particle_hole(syst):
        return (
            "The system declares particle_hole, so it holds electrons and holes (a Nambu or "
            f"Bogoliubov-de Gennes model). {CURE}"
        )
    for number, builder in enumerate(syst.leads):
        if _declares_particle_hole(builder):
            return (
                f"Lead {number} declares particle_hole, so it holds electrons and holes (a Nambu "
                f"or Bogoliubov-de Gennes model). {CURE}"
            )
    for number, builder in enumerate(syst.leads):
        if getattr(builder, "_cons_law", None) is None:
            continue
        norbs = np.diff(orbital_offsets(builder)[: builder.cell_size + 1])
        cells = evaluated(number).cells
        pair = None if cells is None else _partners(cells, norbs)
        if pair is not None:
            return (
                f"Lead {number} seems to hold electrons and holes (a Nambu or Bogoliubov-de "
                f"Gennes model): blocks {pair[0]} and {pair[1]} of its conservation_law are "
                f"particle-hole partners, H' = -H*. {CURE}"
            )
    return None


def _declares_particle_hole(system: Any) -> bool:
    """Return whether a Builder was given it; not what Kwant concludes from two other symmetries."""
    declared = getattr(system, "_symmetries", (None, None, None))
    return declared[1] is not None


def _partners(cells: Cells, norbs: IntArray) -> tuple[int, int] | None:
    """Return two blocks of a conservation law that are particle-hole partners, if there are any.

    norbs: the numbers of orbitals of the cell's sites.
    """
    projectors = cells.discrete_symmetry().projectors or []
    if len(projectors) < 2:
        return None
    site = np.repeat(np.arange(len(norbs)), norbs)
    blocks = [_Block.of(cells, projector.tocsc(), site) for projector in projectors]
    for j, holes in enumerate(blocks):
        for i, electrons in enumerate(blocks[:j]):
            if np.array_equal(electrons.norbs, holes.norbs) and _are_partners(electrons, holes):
                return i, j
    return None


class _Block(NamedTuple):
    """The cell and the hopping of a block, and the orbitals that each of its sites has there.

    levels: the eigenvalues of the cell, which are found once for all partners.
    """

    cell: ComplexArray
    hopping: ComplexArray
    norbs: IntArray
    levels: NDArray[np.float64]

    @classmethod
    def of(cls, cells: Cells, projector: Any, site: IntArray) -> Self:
        """Project onto a block; its orbitals are those of one site each, in their order."""
        cell, hopping = cells.cell_hamiltonian(), cells.inter_cell_hopping()
        back = projector.conj().T.tocsr()
        beyond = projector.tocsr()[: hopping.shape[1]].toarray()
        sites = site[projector.indices[projector.indptr[:-1]]]
        norbs = np.unique(sites, return_counts=True)[1]
        here = back @ (cell @ projector.toarray())
        return cls(here, (back @ hopping) @ beyond, norbs, np.linalg.eigvalsh(here))


def _are_partners(electrons: _Block, holes: _Block) -> bool:
    """Return whether H' = -W H* W^+, with a W that is the same on all sites.

    Without that, any bipartite lattice would do, of which one sublattice can change its sign.
    """
    pairs = [(electrons.cell, holes.cell), (electrons.hopping, holes.hopping)]
    size = max(np.abs(part).max(initial=0.0) for pair in pairs for part in pair)
    if np.abs(electrons.levels[::-1] + holes.levels).max(initial=0.0) > PARTNERS * size:
        return False
    residuals = []
    for unit in _onsite_units(electrons.norbs):
        parts = [other @ unit + unit @ one.conj() for one, other in pairs]
        residuals.append(np.concatenate([part.ravel() for part in parts]))
    _, values, vectors = np.linalg.svd(np.array(residuals).T, full_matrices=False)
    solutions = vectors[values <= PARTNERS * size * np.sqrt(len(electrons.cell))].conj().T
    if not solutions.shape[1]:
        return False
    # Some mixture of the solutions is invertible if any is: a random one, then.
    mixed = solutions @ np.random.default_rng(0).normal(size=solutions.shape[1])
    whole = sum(w * unit for w, unit in zip(mixed, _onsite_units(electrons.norbs), strict=True))
    return bool(np.linalg.cond(whole) < 1 / PARTNERS)


def _onsite_units(norbs: IntArray) -> Iterator[ComplexArray]:
    """Yield a basis of the matrices that are the same on all sites with as many orbitals."""
    start = np.cumsum(norbs) - norbs
    for count in np.unique(norbs):
        first = start[norbs == count]
        for i, j in np.ndindex(count, count):
            unit = np.zeros((norbs.sum(), norbs.sum()), complex)
            unit[first + i, first + j] = 1
            yield unit
