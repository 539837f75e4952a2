"""What is refused before anything is asked of a system: each says what was expected instead."""

from typing import Any

import kwant

__all__ = ["check_finite_system", "check_hermitian", "check_leads", "check_sites"]

HERMITICITY = 1e-12
"""How far from Hermitian the Hamiltonian may be, relative to its largest element."""


def check_finite_system(syst: Any) -> None:
    """Raise unless `syst` is a finalized, finite Kwant system with known orbitals."""
    if isinstance(syst, kwant.Builder):
        raise TypeError(
            "syst is a kwant.Builder that is not finalized; pass syst.finalized() instead."
        )
    if isinstance(syst, kwant.system.InfiniteSystem):
        raise TypeError(
            "syst is an infinite system (a lead); expected a finite scattering region. "
            "Finalize a Builder without symmetry, with leads attached."
        )
    if not isinstance(syst, kwant.system.FiniteSystem):
        raise TypeError(
            f"syst is a {type(syst).__name__}; expected a finalized Kwant system "
            "(kwant.system.FiniteSystem)."
        )
    if syst.site_ranges is None:
        raise ValueError(_norbs_message(syst))


def _norbs_message(syst: Any) -> str:
    if not hasattr(syst, "sites"):
        return (
            f"The numbers of orbitals of this {type(syst).__name__} are not known: its "
            "`site_ranges` is None. Set it, e.g. [(0, norbs, 0), (n_sites, 0, n_orbitals)] for "
            "sites of `norbs` orbitals each."
        )
    families = {site.family for site in syst.sites}
    without = sorted(str(family) for family in families if family.norbs is None)
    which = f" of {', '.join(without)}" if without else ""
    return (
        f"The number of orbitals{which} is not known; declare it with the `norbs` keyword "
        "when the site family is made, e.g. kwant.lattice.square(norbs=1)."
    )


def check_leads(syst: Any) -> None:
    """Raise unless `syst` has leads."""
    if not syst.leads:
        raise ValueError(
            "The system has no leads, so no current can flow; attach leads to the Builder "
            "with attach_lead() before finalizing it."
        )


def check_sites(syst: Any) -> None:
    """Raise unless `syst` has `sites` with positions (it is a finalized Builder)."""
    if not hasattr(syst, "sites"):
        raise TypeError(
            f"syst is a {type(syst).__name__} without sites; expected a finalized kwant.Builder. "
            "For other systems give dH/dQ itself, with Matrices."
        )
    for start, *_ in syst.site_ranges[:-1]:
        family = syst.sites[start].family
        if not callable(getattr(family, "pos", None)):
            raise TypeError(
                f"{family} is a {type(family).__name__} without a method pos, so that nobody knows "
                "where its sites are; give it pos(tag), which returns the position of a site. Or "
                "give dH/dQ itself, with Matrices."
            )


def check_hermitian(matrix: Any) -> None:
    """Raise unless the Hamiltonian is Hermitian."""
    asymmetry = abs(matrix - matrix.conj().T.tocsr())
    if asymmetry.nnz and asymmetry.max() > HERMITICITY * abs(matrix).max():
        orbital = int(asymmetry.tocoo().row[asymmetry.tocoo().data.argmax()])
        raise ValueError(
            f"The Hamiltonian is not Hermitian: it differs from its conjugate transpose by up to "
            f"{asymmetry.max():.3g}, at orbital {orbital}. Expected Hermitian onsite matrices; "
            "absorption goes into a lead known by its self-energy."
        )
