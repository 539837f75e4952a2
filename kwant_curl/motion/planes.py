"""The force of the current over a plane of two directions of the coordinates."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.motion.field import ResponseField
from kwant_curl.motion.walks import responses
from kwant_curl.results import ForcePlane
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued

__all__ = ["force_plane"]

FloatArray = NDArray[np.float64]


@recorded
def force_plane(
    field: ResponseField,
    directions: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    origin: ArrayLike | None = None,
    progress: Progress = None,
) -> ForcePlane:
    """Return force and curl on a grid in a plane of the coordinates.

    Parameters
    ----------
    field : ResponseField
        System, coordinates, bias and the rest.
    directions : array of float, shape (2, n_c)
        u and v: a point (x, y) is the displacement origin + x u + y v.
    x, y : array of float, shape (n_x,) and (n_y,)
        The grid.
    origin : array of float, shape (n_c,), optional
        The displacement at x = y = 0; default none.
    progress : bool, optional
        Show a progress bar: points.  Default: after two seconds, where somebody sees it.

    Returns
    -------
    ForcePlane

    Raises
    ------
    ValueError, TypeError
        For arrays of other shapes; and as `Model.moved` and `force_response` do.

    Warns
    -----
    RuntimeWarning
        As `force_response`, of all points once.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.5)
    >>> plane = force_plane(field, np.eye(2), [-0.1, 0.0, 0.1], [0.0, 0.1])
    >>> plane.rotation.shape
    (3, 2)
    """
    axes = np.asarray(directions, dtype=float)
    if axes.ndim != 2 or len(axes) != 2 or not np.isfinite(axes).all():
        raise ValueError(
            f"directions has shape {axes.shape}; expected finite numbers (2, n_c), u and v."
        )
    along = [_numbers(name, given) for name, given in (("x", x), ("y", y))]
    start = np.zeros(axes.shape[1]) if origin is None else np.asarray(origin, dtype=float)
    if start.shape != axes.shape[1:]:
        raise ValueError(f"origin has shape {start.shape}; expected {axes.shape[1:]}.")
    shape = len(along[0]), len(along[1])
    grid = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 2)
    found = responses(field, start + grid @ axes, progress)
    first, n_leads = found[0], len(found[0].bias)
    force = np.stack([np.asarray(each.lead_force) for each in found], axis=1)
    rotation = np.stack([axes[0] @ each.lead_curl @ axes[1] for each in found], axis=1)
    return ForcePlane(
        first.energy,
        first.bias,
        first.degeneracy,
        directions=axes,
        origin=start,
        x=along[0],
        y=along[1],
        lead_force=force.reshape(n_leads, *shape, -1),
        lead_rotation=rotation.reshape(n_leads, *shape),
        temperature=first.temperature,
        linear=first.linear,
        error=max(each.error for each in found),
        partial=any(each.partial for each in found),
        units=first.units,
        pinned=first.pinned,
        warnings=issued(text for each in found for text in each.warnings),
    )


def _numbers(name: str, given: ArrayLike) -> FloatArray:
    """Return the points of an axis, or raise."""
    array = np.asarray(given, dtype=float)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"{name} has shape {array.shape}; expected a list of finite numbers.")
    return array
