"""What responses to the bias share: where the device is operated, how the leads add up."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import (
    COLD,
    check_pinned,
    chemical_potential_shifts,
    window_rounding,
)
from kwant_curl.results.spectrum import Spectrum
from kwant_curl.support.checks import nonnegative_number
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names
from kwant_curl.support.warning import issued

__all__ = ["Response"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Response(Storable, saved=False):
    """What results share: where the device is operated, and how the leads' shares add up.

    Attributes
    ----------
    temperature : float
        kT, an energy.
    linear : bool
        Whether the response is linear in the bias.  What is given by lead is then per unit shift
        of each lead's chemical potential; otherwise it is each lead's share at this bias.
    error : float
        Estimated error of the integration over energy, relative to the largest element of each
        quantity (of the integral of its modulus); zero where nothing was integrated.
    partial : bool
        Whether the window holds energies at which no lead has an open mode.
    units : Units or None
        The units, for labels, if they were given.
    pinned : array of bool, shape (n_leads,), or None
        In a Nambu model, which leads are superconducting, so that they can't be shifted.
    band_distance : float or None
        How far the next band edge of the leads is from the Fermi level, roughly; None where that
        is not known (for leads that are wide compared with the system, it would take too long).
    resonance_distance : float or None
        How far the nearest resonance of the device is from the Fermi level, the root of the squares
        of its distance and its half width; None where there is none, or more than 60 orbitals.
    warnings : tuple of str
        What was warned of.
    spectrum : Spectrum or None
        The energies that were sampled, where there was an integral (not in a Nambu model): other
        biases and temperatures within the window follow from it.
    """

    energy: float
    bias: FloatArray
    degeneracy: float
    _: KW_ONLY
    temperature: float = 0.0
    linear: bool = True
    error: float = 0.0
    partial: bool = False
    units: Units | None = None
    pinned: NDArray[np.bool_] | None = None
    band_distance: float | None = None
    resonance_distance: float | None = None
    warnings: tuple[str, ...] = ()
    spectrum: Spectrum | None = None

    def nearest_change(self) -> tuple[float, str]:
        """Return how far D is about constant around the Fermi level, and what is there, as text.

        The distance of the next band edge of the leads, or of the nearest resonance of the device;
        infinite if neither is known.
        """
        known = [
            (self.band_distance, "the next band edge of the leads"),
            (self.resonance_distance, "the nearest resonance of the device, with its half width,"),
        ]
        return min(
            ((distance, what) for distance, what in known if distance is not None),
            default=(np.inf, "nothing"),
        )

    def at_bias(self, bias: float | Mapping[int, float]) -> Self:
        """Return the result at another bias, without a new solve; exact in linear response.

        Of a whole bias window (``linear=False``) any bias whose window lies within that which was
        integrated over, from the energies that were sampled there.

        Raises
        ------
        ValueError
            For a window that goes beyond that of the result, or a result that has kept no energies
            (of a Nambu model), and for a bias that shifts a superconducting lead.
        """
        shifts = chemical_potential_shifts(bias, len(self.bias))
        check_pinned(shifts, self.pinned)
        if self.linear or np.array_equal(shifts, self.bias):
            return replace(self, bias=shifts)
        return self._at(shifts, self.temperature, "bias")

    def without_spectrum(self) -> Self:
        """Return the result without the energies that were sampled, which may be most of its size.

        They take `Spectrum.nbytes`; without them no other window follows from it.
        """
        return replace(self, spectrum=None)

    def at_temperature(self, temperature: float) -> Self:
        """Return the result at another temperature of the electrons, without a new solve.

        Parameters
        ----------
        temperature : float
            kT, an energy; as high as that of the result, or higher if its bias window is wide.

        Raises
        ------
        ValueError
            For a temperature that needs energies beyond those that were sampled, and a result
            without any: of one energy, or of a Nambu model.
        """
        kt = nonnegative_number("temperature", temperature)
        kt = 0.0 if kt < COLD * max(abs(self.energy), np.abs(self.bias).max()) else kt
        if kt == self.temperature:
            return self
        return self._at(self.bias, kt, "temperature")

    def _at(self, shifts: FloatArray, temperature: float, what: str) -> Self:
        """Return the result where the device is operated otherwise, from its spectrum."""
        if self.spectrum is None:
            raise ValueError(
                f"This result has kept no energies from which another {what} would follow: it is "
                "that of one energy, or of a Nambu model. Call the routine again with the other "
                f"{what}."
            )
        spectrum, linear = self.spectrum, self.linear
        fields, error = spectrum.integrals(self.energy, shifts, temperature, linear=linear)
        if not linear and temperature == 0:
            error += window_rounding(self.energy, shifts)
        known: dict[str, Any] = dict(fields)
        if temperature == self.temperature == 0:  # of the Fermi level itself, and known already
            total = zip(spectrum.names, spectrum.kinds, strict=True)
            known |= {name: getattr(self, name) for name, kind in total if kind == "total"}
        notices = [text for text in self.warnings if "did not converge to rtol=" not in text]
        if error > spectrum.rtol:
            notices += issued(
                (
                    f"At this {what} the energies that were sampled leave an error of {error:.3g}, "
                    f"more than rtol={spectrum.rtol:.3g}, as the result's `error` says.",
                )
            )
        changed: dict[str, Any] = {"bias": shifts, "temperature": temperature, "error": error}
        return replace(self, **changed, warnings=tuple(notices), **known)

    @property
    def _operation(self) -> str:
        """Where the device is operated, as text."""
        energy = spaced(unit_names(self.units).energy)
        return f"energy {self.energy:.6g}{energy}, bias {dict(enumerate(self.bias.tolist()))}"

    def superposed(self, by_lead: FloatArray) -> FloatArray:
        """Return the sum of all leads' shares, of what is given by lead."""
        weights = self.bias if self.linear else np.ones(len(self.bias))
        return read_only(np.tensordot(weights, by_lead, axes=1))
