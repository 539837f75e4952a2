"""The equation of motion of vibrational modes under current."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.balance import growth_by_force
from kwant_curl.algebra.memory import Memory, quadratic_forms
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.results.modes import Moved, check_same_coordinates
from kwant_curl.vibrations.mode_checks import HELD, springs_of
from kwant_curl.vibrations.modes import VibrationalModes

__all__ = [
    "FORCES",
    "Mechanics",
    "check_response",
    "either",
    "growth_shares",
    "jacobian_of",
    "mechanics",
    "mechanics_of_modes",
    "memory_of",
    "notices_of",
    "notices_of_far_biases",
    "notices_of_missing",
    "other_damping",
    "projected",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
T = TypeVar("T")

FORCES = ("driving", "friction", "lattice", "other")
"""What makes motions grow or decay, in the order of `growth_shares`."""

STRONG = 1.0
"""Springs that the current's curl exceeds don't hold the atoms any more where they are."""

NEGATIVE = 1e-9
"""Below this part of the largest eigenvalue a negative friction is rounding."""


class Mechanics(NamedTuple):
    """q'' = -stiffness q - damping q' - (Pi q)(t) in the basis of modes, (n_modes, n_modes) each.

    memory: Pi of the leads into which the vibrations leave, if there are any.
    """

    stiffness: FloatArray
    damping: FloatArray
    memory: Memory | None = None


def mechanics(
    response: ForceResponse, modes: VibrationalModes, damping: ArrayLike = 0.0
) -> Mechanics:
    """Return stiffness omega^2 - J and damping gamma, with all that the response knows, and Pi.

    J is the Jacobian, or, if the response was not asked for it, its antisymmetric part -curl/2;
    gamma the velocity tensor, or the friction of equilibrium, and on its diagonal besides the
    `damping` of other origin, a number or one per mode.
    """
    return mechanics_of_modes(projected(response, modes), modes, damping, memory_of(modes))


def projected(response: ForceResponse, modes: VibrationalModes) -> ForceResponse:
    """Return the response of the modes, without the energies that were sampled."""
    check_response(response, modes)
    return response.without_spectrum().project(modes.patterns)


def memory_of(modes: VibrationalModes) -> Memory | None:
    """Return the self-energy of the modes' leads in the basis of the modes.

    A lattice that nothing holds has a spring of zero, whose rounding would grow or not: it is held
    by 1e-9 of the strongest one.
    """
    if modes.leads is None:
        return None
    memory = modes.leads.memory().projected(modes.vectors)
    lowest, strongest = springs_of(modes.frequencies, memory)
    if lowest >= HELD * strongest:
        return memory
    held = (HELD * strongest - lowest) * np.eye(len(modes))
    return memory._replace(constant=memory.constant + held)


def mechanics_of_modes(
    projected: ForceResponse, modes: VibrationalModes, damping: ArrayLike, memory: Memory | None
) -> Mechanics:
    """Return the same from a response that is projected on the modes already, and the memory."""
    gamma = projected.friction if projected.lead_velocity is None else projected.velocity
    return Mechanics(
        np.diag(modes.frequencies**2) - jacobian_of(projected),
        gamma + np.diag(other_damping(damping, len(modes))),
        memory,
    )


def jacobian_of(response: ForceResponse) -> FloatArray:
    """Return dF_I/dQ_J, or, where the response doesn't hold it, the curl's part of it."""
    return -0.5 * response.curl if response.lead_jacobian is None else response.jacobian


def other_damping(damping: ArrayLike, number: int, of: str = "mode") -> FloatArray:
    """Return damping of other origin, one number per mode (or atom); raise if it is negative."""
    rates = np.asarray(damping)
    if rates.shape not in ((), (number,)) or rates.dtype.kind not in "fiu":
        raise ValueError(
            f"damping has shape {rates.shape} and type {rates.dtype}; expected one real number, or "
            f"{number}, one per {of}."
        )
    if not (np.isfinite(rates) & (rates >= 0)).all():
        raise ValueError(f"damping is {damping!r}; expected numbers that are not negative.")
    return np.broadcast_to(rates.astype(float), (number,))


def growth_shares(
    system: Mechanics,
    modes: VibrationalModes,
    damping: ArrayLike,
    frequencies: ComplexArray,
    vectors: ComplexArray,
) -> FloatArray:
    """Return what driving, friction, lattice and other damping add to 2 Im Omega, (4, n_s).

    As `growth_by_force` has it: the work of J q, of the electrons' -gamma q', of -Pi q and of the
    `damping` of other origin, per unit of time and energy.  They add up exactly.
    """
    springs, other = modes.frequencies**2, np.diag(other_damping(damping, len(modes)))

    def of(matrix: FloatArray) -> ComplexArray:
        result: ComplexArray = (vectors.conj() * (vectors @ matrix.T)).sum(axis=1)
        return result

    lattice = np.zeros(len(frequencies), complex)
    if system.memory is not None:
        lattice = -quadratic_forms(system.memory, frequencies, vectors)
    forces = np.stack(
        [
            of(np.diag(springs) - system.stiffness),
            1j * frequencies * of(system.damping - other),
            lattice,
            1j * frequencies * of(other),
        ]
    )
    return growth_by_force(frequencies, vectors, springs, forces)


def either(first: T | None, second: T | None) -> T | None:
    """Return what is known of the two: that of the response, or else that of the modes."""
    return second if first is None else first


def notices_of(
    responses: Sequence[ForceResponse], systems: Sequence[Mechanics], modes: VibrationalModes
) -> list[str]:
    """Return what to say where linear response or small vibrations are taken too far.

    Each thing is said once, of the bias where it is worst.
    """
    where = [f"At the bias {dict(enumerate(response.bias.tolist()))}" for response in responses]
    lowest, strongest = (
        [find(response, system, modes) for response, system in zip(responses, systems, strict=True)]
        for find in (_negative_friction, _curl_over_springs)
    )
    notices = []
    if min(lowest) < 0:
        n = int(np.argmin(lowest))
        notices.append(
            f"{where[n]} the friction of linear response is negative (down to {lowest[n]:.3g}): "
            "what the bias adds to it exceeds that of equilibrium, and modes may seem to grow by "
            "that. Check with the whole bias window: pass a function of the bias that calls "
            "force_response with linear=False."
        )
    if max(strongest) > STRONG:
        n = int(np.argmax(strongest))
        notices.append(
            f"{where[n]} the curl of the current's force is {strongest[n]:.3g} times the springs "
            "(|kappa|/(2 omega omega') of two modes, the driving over the frequency): the atoms "
            "leave their places within a turn, and what is known of them at these places ends."
        )
    return notices


def notices_of_far_biases(responses: Sequence[ForceResponse]) -> list[str]:
    """Return what to say where biases reach a band edge or resonance, of the farthest one."""
    beyond = [_shift_over_change(response) for response in responses]
    n = int(np.argmax(beyond))
    if beyond[n] < 1:
        return []
    shifts, (distance, what) = responses[n].bias, responses[n].nearest_change()
    return [
        f"At the bias {dict(enumerate(shifts.tolist()))} a lead is shifted by "
        f"{np.abs(shifts).max():.3g}, and {what} is {distance:.3g} from "
        "the Fermi level: linear response does not reach as far. Check with the whole bias window: "
        "pass a function of the bias that calls force_response with linear=False."
    ]


def notices_of_missing(responses: Sequence[ForceResponse], missing: Sequence[int]) -> list[str]:
    """Return what to say where motions grow that were counted and not found, of most of them."""
    n = int(np.argmax(missing))
    if not missing[n]:
        return []
    return [
        f"At the bias {dict(enumerate(responses[n].bias.tolist()))} {missing[n]} more solutions "
        "grow than are reported, of the lattice rather than the modes: it has too many variables "
        "for all to be calculated, or more grow than there are modes. Take phonon leads with fewer "
        "poles, or a smaller bias."
    ]


def _negative_friction(
    response: ForceResponse, system: Mechanics, modes: VibrationalModes
) -> float:
    """Return the lowest friction of linear response if it is negative beyond rounding, or zero."""
    values = np.linalg.eigvalsh(0.5 * (system.damping + system.damping.T))
    negative = response.linear and values[0] < -NEGATIVE * np.abs(values).max()
    return float(values[0]) if negative else 0.0


def _curl_over_springs(
    response: ForceResponse, system: Mechanics, modes: VibrationalModes
) -> float:
    """Return the largest |kappa|/(2 omega_k omega_m)."""
    half_curl = 0.5 * np.abs(system.stiffness - system.stiffness.T)
    return float((half_curl / np.outer(modes.frequencies, modes.frequencies)).max())


def _shift_over_change(response: ForceResponse) -> float:
    """Return the largest shift of a lead over the distance of what is near, if that is known."""
    if not response.linear:
        return 0.0
    shift, distance = float(np.abs(response.bias).max()), response.nearest_change()[0]
    return float(np.divide(shift, distance)) if distance else np.inf


def check_response(response: Any, modes: Any) -> None:
    """Raise unless the modes are those of the coordinates of the response."""
    if not isinstance(response, ForceResponse):
        raise TypeError(f"response is a {type(response).__name__}; expected a ForceResponse.")
    if not isinstance(modes, VibrationalModes):
        raise TypeError(f"modes is a {type(modes).__name__}; expected VibrationalModes.")
    check_same_coordinates(
        Moved(
            len(response.friction),
            response.positions,
            response.sites,
            response.units,
            response.temperature,
        ),
        modes,
    )
