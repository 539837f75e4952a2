"""What electrons exchange with coordinates at finite frequencies, by the golden rule."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kwant_curl.algebra.by_energy import ByEnergy
from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.interpolated import Interpolated
from kwant_curl.coordinates import Coordinates, forces_by_energy, gauge_notices
from kwant_curl.electrons.kernels.emission import EmissionKernel, Exchanged, Traces, exchanged
from kwant_curl.electrons.kernels.operators import Operators, moved_factors, operators_by_energy
from kwant_curl.electrons.moved import moved_orbitals
from kwant_curl.electrons.notices import window_notices
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.model.model import Model

__all__ = ["Coupling", "coupling", "exchange_notices", "exchanges", "sampled_by_lead"]


class Coupling(NamedTuple):
    """The operators by which coordinates couple electrons of two energies, and what to say."""

    forces: Derivatives
    operators: ByEnergy[Operators]
    notices: tuple[str, ...]


def coupling(coordinates: Coordinates, model: Model, energy: float, what: str) -> Coupling:
    """Return it; energy: the Fermi level; what: what it is for, in messages."""
    by_energy = forces_by_energy(coordinates, model, energy)
    forces = by_energy.at(energy)
    notices = forces.notices + gauge_notices(coordinates, model, forces, what)
    moved, unknown = moved_orbitals(coordinates, model, by_energy, energy, what)
    factors = None if moved is None else moved_factors(moved)
    operators = operators_by_energy(by_energy, None, moved=factors)
    return Coupling(forces, operators, notices + unknown)


def exchanges(
    coupled: Coupling,
    wanted: Sequence[tuple[float, Traces]],
    model: Model,
    point: OperatingPoint,
    numerics: Numerics,
) -> Iterator[Exchanged]:
    """Yield the integrals of each quantum with its traces; raise for quanta that rounding hides.

    The last one is that of which an energy failed, if one did.
    """
    lost = [quantum for quantum, _ in wanted if point.energy + quantum == point.energy]
    if lost:
        raise ValueError(
            f"hbar times the frequency is {lost[0]:.3g}, which is lost in the rounding of the "
            f"energy {point.energy}; expected a quantum that is larger, or an energy of zero."
        )
    at_energy = numerics.of_one_energy
    for quantum, traces in wanted:
        kernel = EmissionKernel(
            model.scattering, at_energy, coupled.operators, traces, float(quantum), point.energy
        )
        exchange = exchanged(kernel, point, numerics)
        yield exchange
        if exchange.integral.failed is not None:
            return


def exchange_notices(found: Sequence[Exchanged], rtol: float) -> tuple[str, ...]:
    """Return what to say of the integrals of all frequencies: of the worst, and of bound states."""
    integrals = [exchange.integral for exchange in found]
    worst = max(integrals, key=lambda integral: (integral.failed is not None, integral.error))
    # Of the same states each frequency's window would speak in other words.
    bound = next((exchange.notices for exchange in found if exchange.notices), ())
    return bound + window_notices(worst, rtol, any(exchange.partial for exchange in found))


def sampled_by_lead(
    found: Sequence[Exchanged], model: Model
) -> list[tuple[Interpolated, tuple[float, float]]]:
    """Return the integrals and their limits; none where what comes in is not a lead's electrons."""
    if not model.scattering.sources.are_leads:
        return []
    return [(exchange.integral, exchange.limits) for exchange in found]
