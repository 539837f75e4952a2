"""Places at which the response is solved and kept."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kwant_curl.results import ForceResponse
from kwant_curl.support.frozen import field_values

__all__ = ["Nodes"]


class Nodes:
    """Responses by place, as many as the memory holds: the oldest go first.

    Parameters
    ----------
    max_memory : float
        Bytes.
    """

    def __init__(self, max_memory: float) -> None:
        self._max_memory, self._bytes = max_memory, 0
        self._known: dict[tuple[int, ...], ForceResponse] = {}
        self._notices: dict[str, None] = {}
        self.n_solved = 0

    @property
    def notices(self) -> tuple[str, ...]:
        """What the responses have warned of, each text once."""
        return tuple(self._notices)

    def count(self, notices: tuple[str, ...]) -> None:
        """Note that a place was solved, and what was said of it."""
        self.n_solved += 1
        self._notices.update(dict.fromkeys(notices))

    def at(self, key: tuple[int, ...], solve: Callable[[], ForceResponse]) -> ForceResponse:
        """Return the response of a place, which is solved if it isn't known."""
        found = self._known.get(key)
        if found is None:
            found = solve().without_spectrum()
            self._known[key] = found
            self._bytes += _size(found)
            while self._bytes > self._max_memory and len(self._known) > 1:
                self._bytes -= _size(self._known.pop(next(iter(self._known))))
        return found


def _size(response: Any) -> int:
    """Return the bytes of the arrays of a response."""
    return sum(v.nbytes for _, v in field_values(response) if isinstance(v, np.ndarray))
