"""The flux of the curl through a surface of the coordinates."""

from dataclasses import KW_ONLY, dataclass

from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names

__all__ = ["CurlFlux"]


@dataclass(frozen=True, eq=False, repr=False)
class CurlFlux(Storable):
    """The flux of the curl through a surface: the work around its rim.  Converts to `float`.

    Attributes
    ----------
    flux : float
        An energy.
    flux_error : float
        How far it is from that with half as many points in both directions.
    n_points : int
        How many points were taken, the last time.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.5)
    >>> turn = lambda s: 0.1 * np.array([np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)])
    >>> flux = curl_flux(field, turn, rtol=0.1)
    >>> print(f"{flux.flux:.6f}")
    0.000618
    """

    flux: float
    flux_error: float
    n_points: int
    _: KW_ONLY
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say the flux, and how well it is known."""
        unit = spaced(unit_names(self.units).energy)
        return (
            f"<CurlFlux {self.flux:.6g}{unit}, error {self.flux_error:.2g}, {self.n_points} "
            f"points>{self._noted}"
        )

    def __float__(self) -> float:
        """Return the flux."""
        return self.flux
