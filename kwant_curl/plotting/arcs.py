"""Circles around axes in space, to show which way something turns.  Arrays only."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["turning_arcs", "unit_vectors"]

FloatArray = NDArray[np.float64]

ANGLES = np.linspace(0.0, 1.5 * np.pi, 37)
"""Three quarters of a turn."""


def unit_vectors(vectors: FloatArray) -> FloatArray:
    """Return vectors (n, 3) divided by their lengths; zero stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def turning_arcs(centres: FloatArray, axes: FloatArray, radii: FloatArray) -> FloatArray:
    """Return arcs (n, n_points, 3) about the centres, anticlockwise seen from where axes point."""
    along = unit_vectors(axes)
    # Any direction that is not along the axis makes the first one across.
    helper = np.eye(3)[np.abs(along).argmin(axis=1)]
    first = unit_vectors(np.cross(along, helper))
    second = np.cross(along, first)
    turns = np.cos(ANGLES)[:, None] * first[:, None] + np.sin(ANGLES)[:, None] * second[:, None]
    return np.asarray(centres[:, None] + radii[:, None, None] * turns)
