"""Checks, frozen arrays, units, files, executors, threads, warnings: nothing of physics.

Imports no other room.
"""
