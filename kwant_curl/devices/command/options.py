"""The command's options, and how it refuses."""

import argparse
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from matplotlib.backend_bases import FigureCanvasBase

from kwant_curl.electrons.numerics import MAX_ENERGIES, RTOL

__all__ = ["CommandError", "figure_file", "listed", "parser", "result_file", "target"]


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


def finite(text: str) -> float:
    """Return a number that the user wrote."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number.") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text} is given; numbers must be finite.")
    return number


def positive(text: str) -> float:
    """Return a positive number that the user wrote."""
    number = finite(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is given; it must be positive.")
    return number


def nonnegative(text: str) -> float:
    """Return a number that the user wrote, zero or positive."""
    number = finite(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is given; it must not be negative.")
    return number


def count(text: str) -> int:
    """Return a positive whole number that the user wrote."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number.") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is given; it must be positive.")
    return number


def assignment(text: str) -> tuple[str, float]:
    """Return name and value of a parameter, an int where the user wrote one."""
    name, sign, value = text.partition("=")
    if not (sign and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE; name the device first.")
    try:
        return name, int(value)
    except ValueError:
        return name, finite(value)


def listed(devices: Mapping[str, Callable[..., Any]]) -> str:
    """Return names and first sentences of devices, one per line."""
    return "\n".join(
        f"  {name:<14} {(inspect.getdoc(builder) or '').splitlines()[0]}"
        for name, builder in devices.items()
    )


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
        "  or a kwant_curl.devices.Device, which says itself what else there is to say.\n\n"
        "Write negative numbers with an exponent as --energy=-1e-3.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "target",
        nargs="?",
        metavar="DEVICE",
        help="name of a device, or FILE.py:FUNCTION; default: graphene",
    )
    result.add_argument("--device", metavar="DEVICE", help="the same")
    result.add_argument(
        "--out",
        "--output",
        type=Path,
        metavar="FILE",
        help="the figure, its format by the suffix; default: kwant_curl_DEVICE.png",
    )
    result.add_argument(
        "--save", type=Path, metavar="FILE", help="also the result, for kwant_curl.load"
    )
    result.add_argument("--list", action="store_true", help="list the devices, and leave")
    result.add_argument(
        "--version", action="version", version=f"kwant_curl {version('kwant_curl')}"
    )
    _add_operation(result)
    _add_integral(result)
    _add_own(result)
    return result


def _add_operation(result: Parser) -> None:
    """Add what goes with every device."""
    group = result.add_argument_group(
        "where it is operated", "default: what the device says, if it does"
    )
    group.add_argument("--energy", type=finite, metavar="E", help="Fermi level")
    group.add_argument(
        "--bias", type=finite, metavar="V", help="lead 0 at +V/2, lead 1 at -V/2; default: 1"
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


def figure_file(out: Path) -> Path:
    """Return the file of the figure, or refuse one that can't be written."""
    formats: Sequence[str] = sorted(FigureCanvasBase.get_supported_filetypes())
    if out.suffix.lower().removeprefix(".") not in formats:
        raise CommandError(
            f"the figure is to be {str(out)!r}, whose suffix is no known format; expected one of "
            f"{', '.join('.' + name for name in formats)}."
        )
    if not out.absolute().parent.is_dir():
        raise CommandError(f"there is no folder {out.parent} to write the figure to.")
    return out


def result_file(save: Path | None) -> Path | None:
    """Return the file of the result, or refuse one that can't be written."""
    if save is not None and not save.absolute().parent.is_dir():
        raise CommandError(f"there is no folder {save.parent} to save the result to.")
    return save
