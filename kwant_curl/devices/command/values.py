"""What the user writes after an option, as numbers."""

import argparse
import math

__all__ = [
    "Bias",
    "assignment",
    "atoms",
    "bias",
    "count",
    "finite",
    "nonnegative",
    "positive",
    "signed",
]

Bias = float | dict[int, float]
"""A number, which two leads share, or a shift per lead."""


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


def bias(text: str) -> Bias:
    """Return a number, or the shifts of leads that were written LEAD=V,LEAD=V."""
    if "=" not in text:
        return finite(text)
    shifts: dict[int, float] = {}
    for part in text.split(","):
        lead, _, value = part.partition("=")
        if not (lead.isdecimal() and value):
            raise argparse.ArgumentTypeError(
                f"{part!r} is no LEAD=V; give a number, or for instance 0=0.1 1=-0.1."
            )
        if int(lead) in shifts:
            raise argparse.ArgumentTypeError(f"lead {int(lead)} is given twice.")
        shifts[int(lead)] = finite(value)
    return shifts


def atoms(text: str) -> tuple[range | str, ...]:
    """Return what is separated by commas: ranges of indices, FIRST-LAST with both, or names."""
    return tuple(_atoms(part.strip()) for part in text.split(","))


def _atoms(part: str) -> range | str:
    first, dash, last = part.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)):
        if part and not part[0].isdecimal() and part[0] != "-":
            return part
        raise argparse.ArgumentTypeError(
            f"{part!r} is no atom; give indices of sites, for instance 3-7,12, or the name of a "
            "site family."
        )
    found = range(int(first), int(last or first) + 1)
    if not found:
        raise argparse.ArgumentTypeError(f"{part!r} ends before it begins.")
    return found


def signed(arguments: list[str]) -> list[str]:
    """Return the arguments with negative numbers, and the leads of --bias, joined to their option.

    argparse takes -1e-3 for an option, and would take a device after the leads for one more.
    """
    joined: list[str] = []
    for text in arguments:
        before = joined[-1] if joined else ""
        if before.startswith("--") and "=" not in before and _is_negative(text):
            joined[-1] = f"{before}={text}"
        elif before == "--bias" and not text.startswith("--"):
            joined[-1] = f"--bias={text}"
        elif before.startswith("--bias=") and text.partition("=")[0].isdecimal() and "=" in text:
            joined[-1] = f"{before},{text}"
        else:
            joined.append(text)
    return joined


def _is_negative(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.startswith("-")
