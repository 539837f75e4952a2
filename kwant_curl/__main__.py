"""The main job: nonconservative forces of a ready-made device, as a table and a figure."""

import argparse
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from kwant_curl import devices
from kwant_curl.devices import Device
from kwant_curl.maps import curl_map
from kwant_curl.operators import MomentumCurrent, NonequilibriumDensity
from kwant_curl.phonons import PumpingRates
from kwant_curl.response import force_response
from kwant_curl.results import CurlMap

__all__ = ["main"]

DEVICES: dict[str, Callable[..., Device]] = {
    "graphene": devices.graphene_constriction,
    "gold-chain": devices.gold_chain,
    "point-contact": devices.point_contact,
    "molecule": devices.bent_molecule,
    "nanowire": devices.nanowire,
}

ROWS = 8
"""Lines of a table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    if options.device not in DEVICES:
        print(
            f"unknown device {options.device!r}; the known ones are {', '.join(DEVICES)}.",
            file=sys.stderr,
        )
        return 2
    device = DEVICES[options.device]()
    energy = device.energy if options.energy is None else options.energy
    bias = device.bias if options.bias is None else options.bias
    output = options.output or Path(f"kwant_curl_{options.device}.png")
    if not np.isfinite([energy, bias]).all():
        print("energy and bias must be finite numbers.", file=sys.stderr)
        return 2
    if not output.absolute().parent.is_dir():
        print(f"there is no folder {output.parent} to write the figure to.", file=sys.stderr)
        return 2
    if bias == 0:
        print("the bias is zero: nothing is driven, and there is no threshold.", file=sys.stderr)
        return 2

    matplotlib.use("Agg")
    n_sites, unit = len(device.syst.sites), device.energy_unit
    print(f"{device.name}: {n_sites} sites, Fermi level {energy:.4g} {unit}, bias {bias:g} {unit}")
    run = _travelling_waves if len(device.syst.sites[0].pos) == 1 else _local_modes
    figure = run(device, energy, bias)
    figure.savefig(output, dpi=200)
    print(f"figure: {output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    listing = "\n".join(
        f"  {name:<14} {inspect.getdoc(builder).splitlines()[0]}"  # type: ignore[union-attr]
        for name, builder in DEVICES.items()
    )
    parser = argparse.ArgumentParser(
        prog="python -m kwant_curl",
        description="Where does the current in a device push atoms around closed paths, how fast "
        "does it pump vibrations that way, and at what bias do they start to grow? Prints a table "
        "and writes a figure.",
        epilog=f"devices:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("device", nargs="?", default="graphene", help="default: graphene")
    parser.add_argument("--energy", type=float, help="Fermi level, in the device's unit of energy")
    parser.add_argument("--bias", type=float, help="bias V: lead 0 at +V/2, lead 1 at -V/2")
    parser.add_argument("--output", type=Path, help="the figure; default: kwant_curl_DEVICE.png")
    return parser


def _local_modes(device: Device, energy: float, bias: float) -> Any:
    """Take every atom by itself: curl map and local pumping rates."""
    result = curl_map(
        device.syst,
        device.coordinates,
        energy,
        bias=bias,
        degeneracy=device.degeneracy,
        params=device.params,
    )
    rates = result.pumping_rates(device.frequency, device.mass)
    _print_local(device, result, rates, bias)
    current = None
    if result.positions.shape[1] == 2:
        # Any cell volume does: the arrows' lengths are relative.
        density = MomentumCurrent(device.syst, where=result.sites, cell_volume=1.0)
        rho = NonequilibriumDensity(device.syst, energy, bias=bias, params=device.params)
        current = rho.expectation(density)
    axes = result.plot(
        syst=device.syst,
        current=current,
        length_unit=device.length_unit,
        energy_unit=device.energy_unit,
    )
    axes.set_title(f"{device.name}, bias {bias:g} {device.energy_unit}")
    return axes.figure


def _print_local(device: Device, result: CurlMap, rates: PumpingRates, bias: float) -> None:
    strength = np.abs(result.curl) if result.curl.ndim == 1 else np.linalg.norm(result.curl, axis=1)
    growth = rates.growth.max(axis=1)
    threshold = abs(bias) * rates.threshold
    energy_unit, length_unit = device.energy_unit, device.length_unit
    n_growing = np.count_nonzero(growth > 0)
    print(f"{len(strength)} atoms move, each vibrating with {device.frequency:g} {energy_unit}")

    def table(title: str, order: NDArray[np.float64]) -> None:
        print(f"\n{title}\n{'position':>24} {'curl':>12} {'driving':>12} {'damping':>12} threshold")
        per_area, rate = f"{energy_unit}/{length_unit}²", f"{energy_unit}/ħ"
        print(f"{length_unit:>24} {per_area:>12} {rate:>12} {rate:>12} {energy_unit:>9}")
        for n in np.argsort(order, kind="stable")[:ROWS]:
            position = ", ".join(f"{x:.2f}" for x in result.positions[n])
            curl = strength[n] if result.curl.ndim == 2 else result.curl[n]
            numbers = " ".join(f"{x:>12.4g}" for x in (curl, rates.driving[n], rates.damping[n]))
            print(f"{position:>24} {numbers} {threshold[n]:>9.4g}")

    table("Where the curl is largest:", -strength)
    if n_growing:
        table(f"Local modes that are pumped fastest ({n_growing} grow):", -growth)
    else:
        table("No local mode grows at this bias; the first to grow:", threshold)
    first = int(threshold.argmin())
    position = ", ".join(f"{x:.2f}" for x in result.positions[first])
    print(f"\nlowest threshold bias: {threshold[first]:.4g} {energy_unit} at {position}")


def _travelling_waves(device: Device, energy: float, bias: float) -> Any:
    """Pair the standing waves of a chain on a line, which the current sets travelling."""
    response = force_response(
        device.syst,
        device.coordinates,
        energy,
        bias=bias,
        degeneracy=device.degeneracy,
        params=device.params,
    )
    n = len(response.force)
    wave_number = np.pi * np.arange(1, n) / n
    phase = wave_number[:, None] * np.arange(n)
    # Normalised, so that the mass of a mode is that of an atom.
    modes = np.stack([np.cos(phase), np.sin(phase)], axis=1) * np.sqrt(2 / n)
    rates = response.pumping_rates(modes, device.frequency, device.mass)
    unit = device.energy_unit
    print(f"{n} atoms move; pairs cos(qx), sin(qx) of vibrations of {device.frequency:g} {unit}\n")
    print("Waves that are pumped fastest:")
    print(f"{'q a / pi':>12} {'driving':>12} {'damping':>12} {'threshold':>12}")
    print(f"{'':>12} {unit + '/ħ':>12} {unit + '/ħ':>12} {unit:>12}")
    for k in np.argsort(-rates.growth.max(axis=1), kind="stable")[:ROWS]:
        print(
            f"{wave_number[k] / np.pi:>12.4f} {rates.driving[k]:>12.4g} {rates.damping[k]:>12.4g} "
            f"{abs(bias) * rates.threshold[k]:>12.4g}"
        )
    first = int(rates.threshold.argmin())
    lowest = abs(bias) * rates.threshold[first]
    q = wave_number[first] / np.pi
    print(f"\nlowest threshold bias: {lowest:.4g} {unit} at q a / pi = {q:.4f}")
    axes = rates.plot(x=wave_number / np.pi, xlabel="q a / π", energy_unit=unit)
    axes.set_title(f"{device.name}, bias {bias:g} {unit}: waves along the chain")
    return axes.figure


if __name__ == "__main__":
    sys.exit(main())
