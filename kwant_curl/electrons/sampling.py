"""Shells of many energies, sampled until their integral is known."""

from collections.abc import Callable, Iterator, Sequence
from logging import getLogger
from typing import Any

from kwant_curl.algebra.integral_errors import DivergentIntegralError
from kwant_curl.algebra.integration import interpolated
from kwant_curl.algebra.interpolated import Interpolated
from kwant_curl.algebra.sampled import Evaluate
from kwant_curl.algebra.segments import Weighting, segments_between
from kwant_curl.algebra.sketches import Sample
from kwant_curl.electrons.beside import Attempt
from kwant_curl.electrons.bound import Levels
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.shares import Shares
from kwant_curl.electrons.windows import Window
from kwant_curl.model.bands import band_edge_lead
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.support.parallel import mapped
from kwant_curl.support.progress import bar

__all__ = ["Shells", "energy_bar", "sampled"]

LOG = getLogger(__name__)


def sampled(
    evaluate: Evaluate,
    problem: ScatteringProblem,
    found: Window,
    weighting: Weighting,
    numerics: Numerics,
) -> Interpolated:
    """Sample a window of energies, or say why its integral doesn't exist."""
    segments = segments_between(
        found.points, weighting, numerics.rtol, found.edges, numerics.exclude
    )
    if not segments:
        raise ValueError(
            f"exclude is {numerics.exclude:.6g}, which leaves no energies to integrate over; "
            "expected less than half the distance of the leads' band edges."
        )
    try:
        return interpolated(
            evaluate,
            segments,
            weighting,
            numerics.rtol,
            candidates=found.levels.resonances,
            max_energies=numerics.max_energies,
        )
    except DivergentIntegralError as failure:
        raise ValueError(_divergent(problem, failure.energy, found.levels)) from None


def _divergent(problem: ScatteringProblem, energy: float, levels: Levels) -> str:
    """Return what is said where an integral doesn't exist."""
    if energy in levels.bound:
        return (
            f"At {energy:.12g} there is a state that is as good as bound in the device; what is "
            "asked for has a pole there whose width is below what energies resolve. (Jacobian and "
            "velocity tensor have the whole Green's function, and with it the poles of states that "
            "no lead couples to; force, curl and friction don't.) Couple it to a lead, or take it "
            "out, take an energy, bias and temperature whose window is off it, or leave out "
            "jacobian and velocity."
        )
    lead = band_edge_lead(problem, energy)
    where = "" if lead is None else f", where a mode of lead {lead} opens or closes"
    return (
        f"The integral over energy does not exist: at {energy:.9g}{where}, what is asked for goes "
        "as 1/(E - E0), because nothing in the device scatters electrons that stand still there. "
        "Put a scatterer (disorder, a barrier, another width) into the device, take an energy, "
        "bias and temperature whose window is off it, or leave out the energies around it with "
        "exclude=half their width."
    )


class Shells:
    """The samples of many energies; n_modes: how many are open at each that was evaluated."""

    def __init__(self, kernel: Callable[[float], Shares], numerics: Numerics, bar: Any) -> None:
        self._kernel, self._numerics, self._bar = kernel, numerics, bar
        self.n_modes: dict[float, int] = {}

    def __call__(self, energies: Sequence[float]) -> Iterator[Sample | Exception]:
        """Yield the sample at each energy, or what numbers raise there."""
        find = Attempt(self._kernel)
        shares = mapped(find, energies, self._numerics.executor, self._bar)
        for energy, share in zip(energies, shares, strict=True):
            if isinstance(share, Exception):
                LOG.debug("energy %.12g: %s: %s", energy, type(share).__name__, share)
                yield share
                continue
            LOG.debug("energy %.12g: %d open modes", energy, share.n_modes)
            self.n_modes[energy] = share.n_modes
            yield Sample((share.by_lead, share.by_pair, share.total), share.sizes)


def energy_bar(numerics: Numerics) -> Any:
    """Return a progress bar that counts energies, shown if that is wanted."""
    return bar(numerics.progress, " energies")
