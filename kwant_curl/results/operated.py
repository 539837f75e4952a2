"""What results share that are of a device in operation: other biases, other temperatures."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import COLD, check_pinned, chemical_potential_shifts
from kwant_curl.results.samples import Samples
from kwant_curl.support.checks import nonnegative_number
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names
from kwant_curl.support.warning import issued

__all__ = ["Operated"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Operated(Storable, saved=False):
    """What results share: where the device is operated, and what else follows from the samples.

    Attributes
    ----------
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy of every level.
    temperature : float
        kT, an energy.
    error : float
        Estimated error of the integration over energy, relative to the largest element of each
        quantity (of the integral of its modulus); zero where nothing was integrated.
    partial : bool
        Whether the window holds energies at which no lead has an open mode.
    units : Units or None
        The units, for labels, if they were given.
    pinned : array of bool, shape (n_leads,), or None
        In a Nambu model, which leads are superconducting, so that they can't be shifted.
    warnings : tuple of str
        What was warned of.
    spectrum : Samples or None
        The energies that were sampled, where there was an integral (not in a Nambu model): other
        biases and temperatures within the window follow from it.
    """

    energy: float
    bias: FloatArray
    degeneracy: float
    _: KW_ONLY
    temperature: float = 0.0
    error: float = 0.0
    partial: bool = False
    units: Units | None = None
    pinned: NDArray[np.bool_] | None = None
    warnings: tuple[str, ...] = ()
    spectrum: Samples | None = None

    def at_bias(self, bias: float | Mapping[int, float]) -> Self:
        """Return the result at another bias, without a new solve.

        Any bias whose window lies within that which was integrated over, from the energies that
        were sampled there.

        Parameters
        ----------
        bias : float or mapping
            A number V, lead 0 at +V/2 and lead 1 at -V/2, or ``{lead: dmu}``.

        Raises
        ------
        ValueError
            For a window that goes beyond that of the result, or a result that has kept no energies
            (of a Nambu model), and for a bias that shifts a superconducting lead.
        """
        shifts = self._shifts(bias)
        if np.array_equal(shifts, self.bias):
            return replace(self, bias=shifts)
        return self._at(shifts, self.temperature, "bias")

    def without_spectrum(self) -> Self:
        """Return the result without the energies that were sampled, which may be most of its size.

        They take ``spectrum.nbytes``; without them no other window follows from it.
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

    def _shifts(self, bias: float | Mapping[int, float]) -> FloatArray:
        """Return the shift of each lead at a bias, checked."""
        shifts = chemical_potential_shifts(bias, len(self.bias))
        check_pinned(shifts, self.pinned)
        return shifts

    def _at(self, shifts: FloatArray, temperature: float, what: str) -> Self:
        """Return the result where the device is operated otherwise, from its spectrum."""
        spectrum = self.spectrum
        if spectrum is None:
            raise ValueError(
                f"This result has kept no energies from which another {what} would follow: it is "
                "that of one energy, or of a Nambu model, or was made without them. Call the "
                f"routine again with the other {what}."
            )
        fields, error = self._integrated(spectrum, shifts, temperature)
        notices = [text for text in self.warnings if "did not converge to rtol=" not in text]
        if error > spectrum.rtol:
            notices += issued(
                (
                    f"At this {what} the energies that were sampled leave an error of {error:.3g}, "
                    f"more than rtol={spectrum.rtol:.3g}, as the result's `error` says.",
                )
            )
        changed: dict[str, Any] = {"bias": shifts, "temperature": temperature, "error": error}
        return replace(self, **changed, warnings=tuple(notices), **fields)

    def _integrated(
        self, spectrum: Any, shifts: FloatArray, temperature: float
    ) -> tuple[dict[str, Any], float]:
        """Return the fields that follow from a spectrum, and the estimated error."""
        raise NotImplementedError

    @property
    def _operation(self) -> str:
        """Where the device is operated, as text."""
        energy = spaced(unit_names(self.units).energy)
        return f"energy {self.energy:.6g}{energy}, bias {dict(enumerate(self.bias.tolist()))}"
