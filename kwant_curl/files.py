"""Results from files."""

from os import PathLike
from typing import Any

from kwant_curl.fields import FlowMap, GridField
from kwant_curl.phonons import PhononRates, PumpingRates
from kwant_curl.results import CurlMap, ForceResponse
from kwant_curl.storage import read_result
from kwant_curl.vibrations import (
    Orbit,
    PumpedPairs,
    Stability,
    Trajectory,
    VibrationalModes,
)

__all__ = ["load"]

RESULTS = (
    CurlMap,
    ForceResponse,
    FlowMap,
    GridField,
    Orbit,
    PhononRates,
    PumpedPairs,
    PumpingRates,
    Stability,
    Trajectory,
    VibrationalModes,
)


def load(path: str | PathLike[str]) -> Any:
    """Return the result that was saved to a file.

    Parameters
    ----------
    path : str or path-like
        What `save` of a result wrote.

    Returns
    -------
    CurlMap, ForceResponse, FlowMap, ...
        Of the class that was saved.

    Raises
    ------
    ValueError
        For a file of another kind.
    OSError
        If there is no such file.
    """
    return read_result(path, RESULTS)
