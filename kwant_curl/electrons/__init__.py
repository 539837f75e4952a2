"""What the leads fill: states, their answers at an energy, averages, operators, shared keywords.

Imports `coordinates`, `model`, `algebra` and `support`.
"""
