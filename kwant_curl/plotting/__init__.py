"""Draws results: each function takes `ax`, draws on it and returns it.

Imports Matplotlib, `studies`, `vibrations`, `results`, `model`, `algebra` and `support`.
"""

from kwant_curl.plotting.animation import animate
from kwant_curl.plotting.curls import plot_curl_map
from kwant_curl.plotting.cycles import plot_limit_cycle, plot_limit_cycles
from kwant_curl.plotting.flows import plot_flow_map
from kwant_curl.plotting.interactive import plot_interactive
from kwant_curl.plotting.local import plot_local_vibrations
from kwant_curl.plotting.matrices import plot_force_response
from kwant_curl.plotting.motion import plot_orbit
from kwant_curl.plotting.pairs import plot_phonon_rates, plot_pumped_pairs
from kwant_curl.plotting.paths import plot_force_path, plot_force_plane
from kwant_curl.plotting.pumping import plot_pumped_charge
from kwant_curl.plotting.pumping_rates import plot_pumping_rates
from kwant_curl.plotting.stability import plot_stability
from kwant_curl.plotting.studies import picture_of_study, plot_study
from kwant_curl.plotting.trajectories import plot_trajectory
from kwant_curl.support.drawing import picture, plot

__all__ = [
    "animate",
    "plot",
    "plot_curl_map",
    "plot_flow_map",
    "plot_force_path",
    "plot_force_plane",
    "plot_force_response",
    "plot_interactive",
    "plot_limit_cycle",
    "plot_limit_cycles",
    "plot_local_vibrations",
    "plot_orbit",
    "plot_phonon_rates",
    "plot_pumped_charge",
    "plot_pumped_pairs",
    "plot_pumping_rates",
    "plot_stability",
    "plot_study",
    "plot_trajectory",
]

for draw in (
    plot_curl_map,
    plot_flow_map,
    plot_force_path,
    plot_force_plane,
    plot_force_response,
    plot_limit_cycle,
    plot_limit_cycles,
    plot_local_vibrations,
    plot_orbit,
    plot_phonon_rates,
    plot_pumped_charge,
    plot_pumped_pairs,
    plot_pumping_rates,
    plot_stability,
    plot_study,
    plot_trajectory,
):
    plot.register(draw)
picture.register(picture_of_study)
