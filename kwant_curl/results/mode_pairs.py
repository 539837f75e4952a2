"""Pairs of modes X, Y: what a response is to their rotation.  Arrays only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["OfPairs", "mode_pairs", "mode_patterns", "pair_responses", "plane_responses"]

FloatArray = NDArray[np.float64]

ROUNDING = 1e3 * np.finfo(float).eps
"""Relative rounding error of a sum of many terms, generously."""


def mode_pairs(modes: ArrayLike, n_coordinates: int) -> FloatArray:
    """Return modes (2, n_c) or (n_pairs, 2, n_c) as pairs of patterns X, Y (n_pairs, 2, n_c)."""
    array = np.asarray(modes)
    shape = "(2, n_c) or (n_pairs, 2, n_c)"
    pairs = mode_patterns(
        array[None] if array.ndim == 2 else array, n_coordinates, ndim=3, shape=shape
    )
    if pairs.shape[1] != 2:
        raise ValueError(f"modes has shape {array.shape}; expected {shape}: pairs of X and Y.")
    return pairs


def mode_patterns(modes: ArrayLike, n_coordinates: int, *, ndim: int, shape: str) -> FloatArray:
    """Return `modes` as an array of floats, or raise if it is not one of this shape."""
    array = np.asarray(modes)
    if array.ndim != ndim or array.shape[-1] != n_coordinates or not array.size:
        raise ValueError(
            f"modes has shape {np.shape(modes)}; expected {shape} with n_c = {n_coordinates}."
        )
    if np.iscomplexobj(array) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"modes has entries of type {array.dtype}; expected real numbers. The real and "
            "imaginary parts of a complex mode are its X and Y."
        )
    if not np.isfinite(array).all():
        raise ValueError("modes has entries that are not finite.")
    return array.astype(float)


class OfPairs(NamedTuple):
    """What a response is to pairs of coordinates X, Y, one per entry.

    kappa: kappa_XY; friction: eta_XX + eta_YY; uneven: (n, 2), (eta_XX - eta_YY)/2 and eta_XY;
    springs: the same two of the symmetric part of the Jacobian, or None; squares: of the lengths
    of the patterns of atoms' displacements; None for other coordinates, whose masses are of
    another dimension.
    """

    kappa: FloatArray
    friction: FloatArray
    uneven: FloatArray
    springs: FloatArray | None = None
    squares: FloatArray | None = None


def pair_responses(
    curl: FloatArray, friction: FloatArray, jacobian: FloatArray | None, modes: FloatArray
) -> OfPairs:
    """Return what a response is to each pair of modes (n_pairs, 2, n_c)."""
    x, y = modes[:, 0], modes[:, 1]
    kappa = _without_rounding(x, curl, y)
    trace = _without_rounding(x, friction, x) + _without_rounding(y, friction, y)
    springs = None if jacobian is None else _uneven(modes @ jacobian @ modes.swapaxes(1, 2))
    return OfPairs(kappa, trace, _uneven(modes @ friction @ modes.swapaxes(1, 2)), springs)


def _uneven(tensors: FloatArray) -> FloatArray:
    """Return the two parts (n, 2) of tensors (n, 2, 2) that are symmetric and have no trace."""
    along = 0.5 * (tensors[:, 0, 0] - tensors[:, 1, 1])
    across = 0.5 * (tensors[:, 0, 1] + tensors[:, 1, 0])
    return np.stack([along, across], axis=1)


def _without_rounding(left: FloatArray, matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Return left_p . matrix . right_p of each pair p, zero where it is below its rounding error.

    Otherwise modes that don't couple to the electrons would have thresholds made of noise.
    """
    value = np.einsum("pi,pi->p", left @ matrix, right)
    size = np.einsum("pi,pi->p", np.abs(left) @ np.abs(matrix), np.abs(right))
    return np.where(np.abs(value) > ROUNDING * size, value, 0.0)


def plane_responses(curl: FloatArray, friction: FloatArray, axis: FloatArray | None) -> OfPairs:
    """Return what a response is in the plane of rotation of each centre.

    Parameters
    ----------
    curl : array (n,) in 2D or (n, 3) in 3D
        Curl of the force on each centre.
    friction : array (n, dim, dim)
        Friction tensor of each centre.
    axis : array (3,) or (n, 3), or None
        Axis of rotation in 3D, of any length; None for each centre's own curl (and z where the
        curl vanishes).
    """
    ones = np.ones(len(curl))
    if curl.ndim == 1:
        trace = np.trace(friction, axis1=1, axis2=2)
        return OfPairs(curl, trace, _uneven(friction), None, ones)
    axes = np.broadcast_to(curl if axis is None else axis, curl.shape)
    length = np.linalg.norm(axes, axis=1, keepdims=True)
    unit = np.divide(axes, length, out=np.tile([0.0, 0.0, 1.0], (len(axes), 1)), where=length > 0)
    plane = _plane(unit)
    tensors = plane @ friction @ plane.swapaxes(1, 2)
    trace = np.trace(tensors, axis1=1, axis2=2)
    return OfPairs(np.einsum("ni,ni->n", unit, curl), trace, _uneven(tensors), None, ones)


def _plane(axes: FloatArray) -> FloatArray:
    """Return two unit vectors (n, 2, 3) at right angles to unit vectors and to each other."""
    first = np.cross(axes, np.eye(3)[np.abs(axes).argmin(axis=1)])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(axes, first)], axis=1)
