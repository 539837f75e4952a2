"""Pairs of modes X, Y: what a response is to their rotation.  Arrays only."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["mode_pairs", "mode_patterns", "pair_responses", "pair_springs", "plane_responses"]

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


def pair_responses(
    curl: FloatArray, friction: FloatArray, modes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return kappa_XY and eta_XX + eta_YY of each pair of modes (n_pairs, 2, n_c)."""
    x, y = modes[:, 0], modes[:, 1]
    kappa = _without_rounding(x, curl, y)
    return kappa, _without_rounding(x, friction, x) + _without_rounding(y, friction, y)


def pair_springs(jacobian: FloatArray, modes: FloatArray) -> FloatArray:
    """Return by how much dF_I/dQ_J splits each pair of modes (n_pairs, 2, n_c), (n_pairs,).

    Half the distance of the eigenvalues of its symmetric part in the plane of X and Y.
    """
    of = modes @ jacobian @ modes.swapaxes(1, 2)
    return np.asarray(np.hypot(of[:, 0, 0] - of[:, 1, 1], of[:, 0, 1] + of[:, 1, 0]) / 2)


def _without_rounding(left: FloatArray, matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Return left_p . matrix . right_p of each pair p, zero where it is below its rounding error.

    Otherwise modes that don't couple to the electrons would have thresholds made of noise.
    """
    value = np.einsum("pi,pi->p", left @ matrix, right)
    size = np.einsum("pi,pi->p", np.abs(left) @ np.abs(matrix), np.abs(right))
    return np.where(np.abs(value) > ROUNDING * size, value, 0.0)


def plane_responses(
    curl: FloatArray, friction: FloatArray, axis: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return kappa and the trace of the friction in the plane of rotation of each centre.

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
    trace = np.trace(friction, axis1=1, axis2=2)
    if curl.ndim == 1:
        return curl, trace
    axes = np.broadcast_to(curl if axis is None else axis, curl.shape)
    length = np.linalg.norm(axes, axis=1, keepdims=True)
    unit = np.divide(axes, length, out=np.tile([0.0, 0.0, 1.0], (len(axes), 1)), where=length > 0)
    along = np.einsum("ni,nij,nj->n", unit, friction, unit)
    return np.einsum("ni,ni->n", unit, curl), trace - along
