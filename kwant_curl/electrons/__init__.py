"""What the leads fill: scattering states, their answers at an energy, averages, operators.

Imports `coordinates`, `model`, `algebra` and `support`.
"""
