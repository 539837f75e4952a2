"""Results from files."""

from os import PathLike
from typing import Any

from kwant_curl.fields import FlowMap, GridField
from kwant_curl.phonons import PhononRates, PumpingRates
from kwant_curl.results import CurlMap, ForceResponse
from kwant_curl.storage import read_result

__all__ = ["load"]


def load(path: str | PathLike[str]) -> Any:
    """Return the result that was saved to a file.

    Parameters
    ----------
    path : str or path-like
        What `save` of a result wrote.

    Returns
    -------
    CurlMap, ForceResponse, FlowMap, GridField, PumpingRates or PhononRates

    Raises
    ------
    ValueError
        For a file of another kind.
    OSError
        If there is no such file.
    """
    classes = (CurlMap, ForceResponse, FlowMap, GridField, PumpingRates, PhononRates)
    return read_result(path, classes)
