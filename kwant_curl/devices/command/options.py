"""The command's options, and how it refuses."""

import argparse
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from kwant_curl.devices.command.values import (
    assignment,
    atoms,
    bias,
    count,
    finite,
    nonnegative,
    positive,
    signed,
)
from kwant_curl.electrons.numerics import MAX_ENERGIES, RTOL

__all__ = ["CommandError", "listed", "parsed", "target"]


class CommandError(Exception):
    """What the command can't do, in one line for the user."""


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Refuse, instead of printing the usage and leaving."""
        unknown = "unrecognized arguments: "
        if message.startswith(unknown):
            message = (
                f"unknown option {message.removeprefix(unknown)}; --help lists those there are."
            )
        raise CommandError(message)


def listed(devices: Mapping[str, Callable[..., Any]]) -> str:
    """Return names and first sentences of devices, one per line."""
    return "\n".join(
        f"  {name:<14} {(inspect.getdoc(builder) or '').splitlines()[0]}"
        for name, builder in devices.items()
    )


def parsed(
    devices: Mapping[str, Callable[..., Any]], arguments: Sequence[str]
) -> argparse.Namespace:
    """Return the options that were given."""
    return parser(devices).parse_args(signed(list(arguments)))


def parser(devices: Mapping[str, Callable[..., Any]]) -> Parser:
    """Return the parser of the command line, which lists these devices."""
    listing = listed(devices)
    result = Parser(
        prog="kwant-curl",
        usage="kwant-curl [DEVICE | FILE.py:FUNCTION] [options]",
        description="Where does the current in a device push atoms around closed paths, how fast "
        "does it pump vibrations that way, and at what bias do they start to grow? Prints a table "
        "and writes a figure.",
        epilog=f"devices:\n{listing}\n\n"
        "your own device:\n"
        "  kwant-curl path/to/device.py:make_system --energy 0.3 --power-law 2\n"
        "  calls make_system() of that file, which returns a kwant.Builder, a finalized system,\n"
        "  `syst, leads` (Builders), or a kwant_curl.devices.Device, which says itself what else\n"
        "  there is to say.\n\n"
        "leads and atoms:\n"
        "  --bias 0.1             lead 0 at +0.05, lead 1 at -0.05\n"
        "  --bias 0=0.1 1=-0.1    each lead's shift, for any number of leads; others: 0\n"
        "  --atoms 3-7,12         sites by index in syst.sites (a column of --csv)\n"
        "  --atoms gold           sites of the family with this name, off the leads' interfaces\n\n"
        "exit status: 0; 1 where there are no electrons and all is zero, 2 where the command\n"
        "refuses, 130 after Ctrl-C, 141 where nobody reads its output any more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "target",
        nargs="?",
        metavar="DEVICE",
        help="name of a device, or FILE.py:FUNCTION; default: graphene",
    )
    result.add_argument("--device", metavar="DEVICE", help="the same")
    _add_files(result)
    result.add_argument("--list", action="store_true", help="list the devices, and leave")
    result.add_argument(
        "--version", action="version", version=f"kwant_curl {version('kwant_curl')}"
    )
    _add_operation(result)
    _add_integral(result)
    _add_own(result)
    return result


def _add_files(result: Parser) -> None:
    """Add what is written, and the number of threads."""
    result.add_argument(
        "--out",
        "--output",
        type=Path,
        metavar="FILE",
        help="the figure, its format by the suffix; default: kwant_curl_DEVICE.png, or the next "
        "number where that exists",
    )
    result.add_argument(
        "--save", type=Path, metavar="FILE", help="also the result, for kwant_curl.load"
    )
    result.add_argument(
        "--csv", type=Path, metavar="FILE", help="also a table of all atoms, with units"
    )
    result.add_argument(
        "--threads",
        type=count,
        metavar="N",
        help="of the numerical libraries and loops; default: OMP_NUM_THREADS, else one for the "
        "libraries where the system is small",
    )


def _add_operation(result: Parser) -> None:
    """Add what goes with every device."""
    group = result.add_argument_group(
        "where it is operated", "default: what the device says, if it does"
    )
    group.add_argument("--energy", type=finite, metavar="E", help="Fermi level")
    group.add_argument(
        "--bias",
        type=bias,
        metavar="V",
        help="lead 0 at +V/2, lead 1 at -V/2; or LEAD=V for each lead, see below; default: 1",
    )
    group.add_argument(
        "--atoms", type=atoms, metavar="WHICH", help="which atoms move, see below; default: all"
    )
    warm = group.add_mutually_exclusive_group()
    warm.add_argument(
        "--temperature", type=nonnegative, metavar="KT", default=0.0, help="kT; default: 0"
    )
    warm.add_argument("--kelvin", type=nonnegative, metavar="T", help="or in kelvin, with units")
    group.add_argument(
        "--degeneracy", type=positive, metavar="G", help="2 for both spins; default: 1"
    )
    group.add_argument(
        "--frequency", type=positive, metavar="OMEGA", help="hbar omega of a vibration"
    )
    heavy = group.add_mutually_exclusive_group()
    heavy.add_argument(
        "--mass",
        type=positive,
        metavar="M",
        help="of an atom, in hbar^2/(energy length^2); without frequency and mass: no rates",
    )
    heavy.add_argument(
        "--amu", type=positive, metavar="M", help="or in atomic mass units, with units"
    )
    group.add_argument(
        "--params",
        type=assignment,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="numbers for the value functions",
    )


def _add_integral(result: Parser) -> None:
    """Add what is to be said of the integral over energies."""
    group = result.add_argument_group(
        "the integral over energies, at a temperature or with --window"
    )
    group.add_argument(
        "--exclude",
        type=nonnegative,
        metavar="E",
        default=0.0,
        help="leave out energies so close to the leads' band edges; default: 0",
    )
    group.add_argument(
        "--window",
        action="store_true",
        help="compare the page of all atoms together with the whole bias window",
    )
    group.add_argument(
        "--rtol",
        type=positive,
        metavar="R",
        default=RTOL,
        help=f"the error to be reached, relative to the largest element; default: {RTOL:g}",
    )
    group.add_argument(
        "--max-energies",
        type=count,
        metavar="N",
        default=MAX_ENERGIES,
        help=f"take so many energies at most; default: {MAX_ENERGIES}",
    )


def _add_own(result: Parser) -> None:
    """Add what is only to be said of a system that comes without coordinates and units."""
    group = result.add_argument_group(
        "a system of your own", "without a law, its value functions are called with moved sites"
    )
    laws = group.add_mutually_exclusive_group()
    laws.add_argument(
        "--power-law", type=finite, metavar="N", help="hoppings go with the bond length as d^-N"
    )
    laws.add_argument("--exponential", type=positive, metavar="LENGTH", help="or as exp(-d/LENGTH)")
    group.add_argument("--energy-unit", metavar="NAME", help="for labels, such as eV")
    group.add_argument("--length-unit", metavar="NAME", help="for labels, such as nm")


def target(options: argparse.Namespace) -> str:
    """Return the device that is asked for, however it was named."""
    if options.target is not None and options.device is not None:
        raise CommandError(
            f"two devices are named, {options.target!r} and --device {options.device!r}; name one."
        )
    chosen: str = options.target or options.device or "graphene"
    return chosen
