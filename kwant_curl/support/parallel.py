"""Many points on many cores: anything with the `map` of concurrent.futures.Executor."""

import os
import pickle
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from functools import partial
from logging import getLogger
from typing import Any, Protocol

from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.store import Store
from kwant_curl.support.threads import one_thread
from kwant_curl.support.warning import issued

__all__ = ["Executor", "SweepError", "check_executor", "mapped", "sweep"]

LOG = getLogger(__name__)


class Executor(Protocol):
    """What spreads calls over workers: executors of `concurrent.futures`, of dask, of mpi4py."""

    def map(self, function: Callable[[Any], Any], /, *items: Iterable[Any]) -> Iterable[Any]:
        """Return function(item) for all items, in their order."""
        ...


class SweepError(RuntimeError):
    """A point of a sweep failed.

    Attributes
    ----------
    point : object
        The first point that failed, as it was given to `sweep`.
    results : dict
        ``{index: result}`` of all points that are finished: none is lost.
    failures : dict
        ``{index: exception}`` of the others.

    Examples
    --------
    >>> try:
    ...     sweep(lambda x: 1 / x, [1, 0])
    ... except SweepError as failure:
    ...     print(type(failure.__cause__).__name__)
    ZeroDivisionError
    """

    def __init__(
        self, point: Any, results: dict[int, Any], failures: dict[int, BaseException]
    ) -> None:
        self.point, self.results, self.failures = point, results, failures
        index, cause = next(iter(failures.items()))
        super().__init__(
            f"Point {index} of the sweep, {point!r}, failed: {type(cause).__name__}: "
            f"{str(cause).rstrip('.')}. Of the points {len(results)} are finished and kept in this "
            f"error's `results`; {len(failures)} are not, see `failures`."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by all that it was made of."""
        return SweepError, (self.point, self.results, self.failures)


def check_executor(executor: Any) -> None:
    """Raise unless `executor` is None or has a `map`."""
    is_one = not isinstance(executor, type) and callable(getattr(executor, "map", None))
    if executor is not None and not is_one:
        raise TypeError(
            f"executor is {executor!r}; expected something with the map of "
            "concurrent.futures.Executor: a ProcessPoolExecutor, the get_executor() of a "
            "dask.distributed Client, an MPIPoolExecutor."
        )


def mapped(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    executor: Executor | None = None,
    bar: Any = None,
) -> Iterator[Any]:
    """Yield function(item) for all items, in their order, on the executor's workers if given.

    What the function raises says at which item, in a note.
    """
    function = partial(_noting, function)
    if executor is None:
        results: Iterable[Any] = map(function, items)
    else:
        results = executor.map(_for_workers(function), items)
    for result in results:
        if bar is not None:
            bar.update()
        yield result


def _noting(function: Callable[[Any], Any], item: Any) -> Any:
    try:
        return function(item)
    except Exception as failure:
        failure.add_note(f"kwant_curl was at {item!r}.")
        raise


def _for_workers(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return partial(_on_one_thread, function, os.getpid())


def _on_one_thread(function: Callable[[Any], Any], caller: int, item: Any) -> Any:
    """Call it with one thread per numerical library: the workers share the cores already.

    The libraries' limits are a process's: threads of the caller's own, which would restore them
    in any order, leave them alone.
    """
    with one_thread(libraries=os.getpid() != caller):
        return function(item)


def sweep(
    function: Callable[..., Any],
    points: Iterable[Any],
    *,
    executor: Executor | None = None,
    progress: Progress = None,
    store: str | os.PathLike[str] | None = None,
) -> list[Any]:
    """Call a function at many points: energies, biases, parameters.

    Parameters
    ----------
    function : callable
        Called as ``function(**point)`` where a point is a mapping, else ``function(point)``.  For
        processes it must be importable or otherwise picklable, as must be what it returns: results
        of this package are.
    points : iterable
        The points.
    executor : optional
        Anything with the `map` of `concurrent.futures.Executor`: a process pool,
        `dask.distributed.Client.get_executor()`, `mpi4py.futures.MPIPoolExecutor`.  None: one
        point after another, here.  Numerical libraries get one thread per worker, or
        OMP_NUM_THREADS.
    progress : bool, optional
        Show a progress bar with the time left.  Default: after two seconds, on a terminal or in a
        notebook.
    store : str or path-like, optional
        A folder for the finished points, a file each.  The same call goes on from there after a
        run that failed or was killed, and calculates the others only; points may be added at the
        end.  Points are numbers, strings, None, arrays, and tuples, lists and dictionaries of
        them; the function is a `def` of a module or script, or a `functools.partial` of one with
        such arguments; what it returns are results of this package, numbers, strings, arrays, and
        lists, tuples and dictionaries of them.

    Returns
    -------
    list
        What the function returned, in the order of the points.

    Raises
    ------
    SweepError
        If the function raises at a point, or a worker dies.  All other points are still
        calculated where that can be, and finished ones are in the error.
    TypeError
        For an executor without `map`; for a point, a function or a returned value that `store`
        can't keep or know again.
    ValueError
        For a `store` of another sweep: of another function, other points, another version.

    Warns
    -----
    RuntimeWarning
        If a file of the `store` is damaged, so that its point is calculated anew.

    Notes
    -----
    Files of the `store` are written by the process that calls, as results arrive; workers need
    not see the folder.  Whether the function's code is still the same, nobody looks: after a
    change of it take another folder.

    Examples
    --------
    >>> maps = sweep(lambda energy: curl_map(syst, moving, energy), energies)
    >>> [float(result.energy) for result in maps]
    [0.45, 0.5]
    """
    check_executor(executor)
    listed = list(points)
    kept = None if store is None else Store(store, function, listed)
    results, notices = ({}, ()) if kept is None else kept.finished()
    issued(notices)
    failures: dict[int, BaseException] = {}
    left = [index for index in range(len(listed)) if index not in results]
    LOG.info("sweep: %d of %d points to do", len(left), len(listed))
    calls = _outcomes(partial(_call, function), [listed[index] for index in left], executor)
    with bar(progress, " points", len(left)) as shown, closing(calls) as outcomes:
        for number, result, failure in outcomes:
            index = left[number]
            if failure is None:
                if kept is not None:
                    kept.keep(index, result)
                results[index] = result
                LOG.info("sweep: point %d is finished", index)
            else:
                failures[index] = failure
                LOG.info("sweep: point %d: %s: %s", index, type(failure).__name__, failure)
            shown.update()
    if failures:
        failures = dict(sorted(failures.items()))
        first = next(iter(failures))
        raise SweepError(listed[first], results, failures) from failures[first]
    return [results[index] for index in range(len(listed))]


def _call(function: Callable[..., Any], point: Any) -> Any:
    return function(**point) if isinstance(point, Mapping) else function(point)


def _guarded(function: Callable[[Any], Any], point: Any) -> tuple[Any, Exception | None]:
    """Return what the function returns, or what it raises."""
    try:
        return function(point), None
    except Exception as failure:
        return None, _that_travels(failure)


def _that_travels(failure: Exception) -> Exception:
    """Return an exception that survives pickling, as it must to leave a worker process."""
    try:
        pickle.loads(pickle.dumps(failure))
    except Exception:
        return RuntimeError(f"{type(failure).__name__}: {failure}")
    return failure


def _outcomes(
    function: Callable[[Any], Any], points: list[Any], executor: Any
) -> Generator[tuple[int, Any, BaseException | None], None, None]:
    """Yield (index, result, exception) of all points as they end."""
    guarded = partial(_guarded, function)
    if executor is None:
        yield from ((index, *guarded(point)) for index, point in enumerate(points))
    elif callable(getattr(executor, "submit", None)):
        yield from _submitted(_for_workers(guarded), points, executor)
    else:
        yield from _mapped_outcomes(guarded, points, executor)


def _submitted(
    function: Callable[[Any], Any], points: list[Any], executor: Any
) -> Iterator[tuple[int, Any, BaseException | None]]:
    """Yield the outcomes of points that are submitted one by one: a worker's end costs its own."""
    waiting: dict[Future[Any], int] = {}
    for index, point in enumerate(points):
        try:
            waiting[executor.submit(function, point)] = index
        except Exception as broken:  # the pool, by a worker that died meanwhile
            yield index, None, broken
    try:
        while waiting:
            for future in wait(waiting, return_when="FIRST_COMPLETED").done:
                index = waiting.pop(future)
                failure = future.exception()
                yield (index, *future.result()) if failure is None else (index, None, failure)
    finally:
        for future in waiting:  # nobody asks for them any more
            future.cancel()


def _mapped_outcomes(
    guarded: Callable[[Any], Any], points: list[Any], executor: Any
) -> Iterator[tuple[int, Any, BaseException | None]]:
    """Yield the outcomes of an executor that offers nothing but `map`."""
    results = mapped(guarded, points, executor)
    for index in range(len(points)):
        try:
            yield (index, *next(results))
        except Exception as failure:
            yield from ((later, None, failure) for later in range(index, len(points)))
            return
