"""The innermost loops, compiled by numba, and the threads among which they are divided.

Each loop runs over a range of its items, releases the interpreter's lock and shares nothing.
Threads of Python's own divide the items among them: unlike numba's, these may be started from
several threads and in forked processes.  Indices are unsigned, so that the loops needn't ask
whether they count from the end: a third of the time.  Complex products are written out where
LLVM would not see that only the real part is wanted.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kwant_curl.support.threads import available_threads

__all__ = ["add_grams", "expectations"]

WORTHWHILE = 2**16
"""Elements of operators times states below which a second thread costs more than it brings."""

TILE = 2**14
"""Complex numbers of a tile of `add_grams`: 256 KiB, so that it stays in a core's cache."""

CompiledLoop = Callable[..., None]


def compiled(function: CompiledLoop) -> CompiledLoop:
    """Compile for the types that it is called with, and keep the code on disk if that can be."""
    options: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that may be written to
        return njit(**options)(function)


def in_threads(loop: CompiledLoop, n_items: int, work: int, *arrays: Any) -> None:
    """Call loop(first, last, *arrays) for ranges that together are 0 to n_items."""
    n_parts = max(1, min(available_threads(), n_items, work // WORTHWHILE))
    ends = np.linspace(0, n_items, n_parts + 1).astype(int).tolist()
    if n_parts == 1:
        loop(0, n_items, *arrays)
        return
    with ThreadPoolExecutor(n_parts) as pool:
        parts = [pool.submit(loop, *part, *arrays) for part in pairwise(ends)]
    for part in parts:
        part.result()


def unsigned(index: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the same numbers, not negative, as the loops want them."""
    return np.ascontiguousarray(index, dtype=np.int64).view(np.uint64)


def expectations(stack: Any, states: NDArray[np.complex128], result: NDArray[np.float64]) -> None:
    """Set result[n, group, k] = <psi_n| A |psi_n> of direction k of each group of a stack."""
    arrays = [unsigned(a) for a in (stack.hubs, stack.start, stack.indptr, stack.cols)]
    for first in range(0, stack.dim, 3):
        some = slice(first, first + 3)
        work = len(states) * len(stack.cols)
        in_threads(
            _expectations, len(states), work, *arrays, stack.values[some], states, result[..., some]
        )


@compiled
def _expectations(
    first: Any, last: Any, hubs: Any, start: Any, indptr: Any, cols: Any, values: Any,
    states: Any, result: Any,
) -> None:  # fmt: skip
    # Up to three directions, in three variables: an array of sums would not be kept in registers.
    dim = len(values)
    one = np.uint64(1)
    for n in range(first, last):
        psi, out = states[n], result[n]
        for group in range(np.uint64(len(start) - 1)):
            x, y, z = 0.0, 0.0, 0.0
            for row in range(start[group], start[group + one]):
                bra = 2 * np.conj(psi[hubs[row]])
                for e in range(indptr[row], indptr[row + one]):
                    pair = bra * psi[cols[e]]
                    x += (values[0, e] * pair).real
                    if dim > 1:
                        y += (values[1, e] * pair).real
                    if dim > 2:
                        z += (values[2, e] * pair).real
            out[group, 0] = x
            if dim > 1:
                out[group, 1] = y
            if dim > 2:
                out[group, 2] = z


def add_grams(
    stack: Any,
    groups: NDArray[np.int64],
    states: NDArray[np.complex128],
    grams: NDArray[np.complex128],
) -> None:
    """Add sum_n v_n v_n^+ to grams (n_groups, size, size), lower triangles, for each group.

    v_n, (size,), holds psi_n at the group's hubs, then the rows of B in each direction times
    psi_n; all groups have the same number of rows.
    """
    size = grams.shape[1]
    tile = max(1, TILE // (max(1, size) * max(1, len(states))))
    arrays = [unsigned(a) for a in (groups, stack.hubs, stack.start, stack.indptr, stack.cols)]
    work = len(states) * len(groups) * size
    in_threads(_add_grams, len(groups), work, tile, *arrays, stack.values, states, grams)


@compiled
def _add_grams(
    first: Any, last: Any, tile: Any, groups: Any, hubs: Any, start: Any, indptr: Any, cols: Any,
    values: Any, states: Any, grams: Any,
) -> None:  # fmt: skip
    dim, size, n_states = len(values), grams.shape[1], len(states)
    n_rows = size // (dim + 1)
    one = np.uint64(1)
    real = np.empty((tile, size, n_states))
    imag = np.empty((tile, size, n_states))
    for begin in range(first, last, tile):
        end = min(last, begin + tile)
        for n in range(n_states):
            psi = states[n]
            for c in range(begin, end):
                for a in range(n_rows):
                    row = start[groups[c]] + np.uint64(a)
                    re, im = real[c - begin], imag[c - begin]
                    re[a, n], im[a, n] = psi[hubs[row]].real, psi[hubs[row]].imag
                    for k in range(dim):
                        total = 0j
                        for e in range(indptr[row], indptr[row + one]):
                            total += values[k, e] * psi[cols[e]]
                        i = (k + 1) * n_rows + a
                        re[i, n], im[i, n] = total.real, total.imag
        for c in range(begin, end):
            re, im = real[c - begin], imag[c - begin]
            for i in range(size):
                for j in range(i + 1):
                    x, y = 0.0, 0.0
                    for n in range(n_states):
                        x += re[i, n] * re[j, n] + im[i, n] * im[j, n]
                        y += im[i, n] * re[j, n] - re[i, n] * im[j, n]
                    grams[c, i, j] += complex(x, y)
