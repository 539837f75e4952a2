"""What the keywords that routines share mean, written once."""

import inspect
from collections.abc import Callable
from typing import TypeVar

__all__ = ["with_shared_keywords"]

Documented = TypeVar("Documented", bound=Callable[..., object])

SHARED = {
    "energy": """
energy : float
    The equilibrium Fermi level mu.
""",
    "bias": """
bias : float or mapping, default 1.0
    A number V (an energy): lead 0 at +V/2, lead 1 at -V/2, two leads only, so that positive
    V drives electrons from lead 0 to lead 1.  Or ``{lead: dmu}``; leads that are not in it
    stay at mu.
""",
    "charge": """
charge : number, array or mapping, optional
    For a Nambu (Bogoliubov-de Gennes) model, which holds electrons and holes: +1 for electrons
    and -1 for holes, a matrix (norbs, norbs), its diagonal, or a number, for all site families or
    ``{family: one of these}``, as Kwant's `conservation_law`.  A lead then shifts its electrons by
    +dmu and its holes by -dmu, and every level counts half, since each electron is there twice.
    Energies are measured from the condensate: the Hamiltonian holds -mu, and `energy` is 0; at
    others the result is the mean of those of electrons at +energy and -energy.  A lead that mixes
    electrons and holes, a superconductor, can't be shifted.  1: all are electrons.
""",
    "degeneracy": """
degeneracy : float, default 1
    Degeneracy g of every level: 2 if a spinless Hamiltonian stands for both spins.
""",
    "temperature": """
temperature : float, default 0.0
    kT of the electrons, an energy; below 1e-8 of the chemical potentials, which can't resolve
    it, zero.
""",
    "linear": """
linear : bool, default True
    Linear response to the bias (averaged thermally), or, if False, the whole bias window:
    each lead's Fermi function minus that at mu, integrated over energy.
""",
    "rtol": """
rtol : float, default 1e-4
    Error to be reached by the adaptive integration over energy, where there is one, relative
    to the largest element of each quantity; see the result's `error`.
""",
    "max_energies": """
max_energies : int, default 2000
    How many energies an integral takes at most; what is known by then is returned, with its
    `error` and a warning.
""",
    "exclude": """
exclude : float, default 0.0
    How far around the band edges of the leads energies are left out of an integral, an energy: in
    a perfect wire curl and friction go as 1/(E - E0) there, and the integral doesn't exist.
""",
    "params": """
params : mapping, optional
    Parameters of the system's value functions.  A `Model` holds its own.
""",
    "energy_parameter": """
energy_parameter : str, optional
    The entry of `params` in which value functions see the energy, for orbitals that overlap: they
    return H - E S, or any Hamiltonian that depends on energy, minus E.  `energy` is the physical
    one, that in `params` is not looked at, and Kwant's own is 0:
    ``kwant.smatrix(syst, 0, params={"E": E})`` is of the same system.
""",
    "route": """
route : {"auto", "modes", "adjoint"}, default "auto"
    Solve the linear system for every scattering state, or, transposed, for every orbital
    that the coordinates touch, with all states kept there; "auto" takes what there is less
    of (counting all orbitals where more than half are touched).
""",
    "max_memory": """
max_memory : float, default 512 MiB
    Bytes for the states that are being solved for, in blocks of one to 64, beside the
    factorisation and the result.
""",
    "solver": """
solver : optional
    What `direct_solver` returns, to keep the symbolic analysis in a loop over parameters; in
    one over energies or biases a `Model` keeps it, and the Hamiltonian too.
""",
    "executor": """
executor : optional
    Anything with the `map` of `concurrent.futures.Executor`, for the energies of an integral,
    which take matrices with them, not the system.  Workers keep no analysis, so `solver` goes
    without.
""",
    "progress": """
progress : bool, optional
    Show a progress bar: energies evaluated.  Default: after two seconds, on a terminal or in a
    notebook.
""",
    "units": """
units : Units, optional
    The units of the Hamiltonian and of the positions, for labels.
""",
}


def with_shared_keywords(function: Documented) -> Documented:
    """Put descriptions in place of lines like ``<bias>`` in a docstring."""
    text = inspect.cleandoc(function.__doc__ or "")
    for name, description in SHARED.items():
        text = text.replace(f"<{name}>", description.strip("\n"))
    function.__doc__ = text
    return function
