"""The main job: nonconservative forces of a device, as a table and a figure."""

import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

from kwant_curl import devices
from kwant_curl.devices import Device
from kwant_curl.devices.command.job import Job, job
from kwant_curl.devices.command.options import (
    CommandError,
    figure_file,
    listed,
    parser,
    result_file,
    target,
)
from kwant_curl.devices.command.own import OwnFunction
from kwant_curl.devices.command.report import report
from kwant_curl.devices.command.words import in_options

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
        _run(parser(DEVICES).parse_args(arguments))
    except CommandError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run(options: Namespace) -> None:
    if options.list:
        print(listed(DEVICES))
        return
    chosen, save = target(options), result_file(options.save)
    if chosen in DEVICES:
        output = figure_file(options.out or Path(f"kwant_curl_{chosen}.png"))
        try:
            _draw(job(DEVICES[chosen](), options), output, save)
        except (TypeError, ValueError) as error:  # what the routines are documented to raise
            raise CommandError(in_options(str(error))) from error
        return
    own = OwnFunction.named(chosen, DEVICES)
    output = figure_file(options.out or Path(f"kwant_curl_{own.path.stem}_{own.name}.png"))
    with own.at_home():
        _draw(job(own(), options, str(own)), output, save)


def _draw(work: Job, output: Path, save: Path | None) -> None:
    """Print the report and write its figure, and its result where that is asked for."""
    matplotlib.use("Agg")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        figure, result = report(work)
    for text in dict.fromkeys(in_options(str(warning.message)) for warning in caught):
        print(f"warning: {text}")
    try:
        _written("figure", output, lambda path: figure.savefig(path, dpi=200))
        if save is not None:
            _written("result", save, result.save)
    finally:
        plt.close(figure)


def _written(what: str, path: Path, write: Callable[[Path], None]) -> None:
    try:
        write(path)
    except OSError as error:
        raise CommandError(f"can't write the {what} {path}: {error.strerror}.") from None
    print(f"{what}: {path}")


if __name__ == "__main__":
    sys.exit(main())
