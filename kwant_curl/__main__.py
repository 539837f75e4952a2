"""The main job: nonconservative forces of a device, as a table and a figure."""

import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence

import matplotlib
import matplotlib.pyplot as plt

from kwant_curl import devices
from kwant_curl.devices import Device
from kwant_curl.devices.command.files import Files, written
from kwant_curl.devices.command.job import Job, job
from kwant_curl.devices.command.options import CommandError, listed, parsed, target
from kwant_curl.devices.command.own import OwnFunction
from kwant_curl.devices.command.report import report
from kwant_curl.devices.command.table import write_table
from kwant_curl.devices.command.words import in_options
from kwant_curl.support.threads import chosen_threads

__all__ = ["main"]

DEVICES: dict[str, Callable[..., Device]] = {
    "graphene": devices.graphene_constriction,
    "gold-chain": devices.gold_chain,
    "point-contact": devices.point_contact,
    "molecule": devices.bent_molecule,
    "nanowire": devices.nanowire,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    try:
        status = _run(parsed(DEVICES, sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except CommandError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads, as `head`, has enough; nor does the exit flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _run(options: Namespace) -> int:
    if options.list:
        print(listed(DEVICES))
        return 0
    chosen = target(options)
    if chosen in DEVICES:
        files = Files.of(options, chosen)
        try:
            return _draw(lambda: job(DEVICES[chosen](), options), files, options.threads)
        except (TypeError, ValueError) as error:  # what the routines are documented to raise
            raise CommandError(in_options(str(error))) from error
    own = OwnFunction.named(chosen, DEVICES)
    files = Files.of(options, f"{own.path.stem}_{own.name}")
    with own.at_home():
        return _draw(lambda: job(own(), options, str(own)), files, options.threads)


def _draw(make: Callable[[], Job], files: Files, threads: int | None) -> int:
    """Print the report and write its files; return 1 if there is no current at all."""
    matplotlib.use("Agg")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        with chosen_threads(threads):
            work = make()
            found = report(work)
    for text in dict.fromkeys(in_options(str(warning.message)) for warning in caught):
        print(f"warning: {text}")
    try:
        written("figure", files.figure, lambda path: found.figure.savefig(path, dpi=200))
        if files.result is not None:
            written("result", files.result, found.result.save)
        if files.table is not None:
            written("table", files.table, lambda path: write_table(path, work, found))
    finally:
        plt.close(found.figure)
    if found.result.friction.any():
        return 0
    print("no electrons act on the atoms here: all numbers are zero.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
