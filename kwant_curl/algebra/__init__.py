"""The formulas, on arrays alone: sparse operators, traces, motion, integrals over energy.

Imports `support`.
"""
