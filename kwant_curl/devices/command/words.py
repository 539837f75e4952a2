"""Messages of the routines in the words of the command: its options in place of keywords."""

import re

__all__ = ["in_options"]

PHRASES = (
    (
        r"with scaling=PowerLaw\S+ scaling=Exponential\S+ or hopping_gradient=\.\.\.,",
        "with --power-law or --exponential,",
    ),
    (
        r"with hopping_gradient=\.\.\. and onsite_gradient=\.\.\. instead",
        "with --power-law or --exponential, or return a Device with gradients",
    ),
    (
        r": pass a function of the bias that calls force_response with linear=False",
        ", by --window",
    ),
    (r"units\.\w+\([^)]*\)(?:,| =) ", ""),
    (r" \((?:linear|fermi_sea)=\w+\)", ""),
    (r", by at_bias,", ""),
    (r"\bexclude=\.\.\. leaves", "--exclude leaves"),
    (r"\bexclude=", "--exclude "),
    (r"\bmax_energies=", "--max-energies "),
    (r"; the error's `result` is what all \d+ that were done tell", ""),
    (r"^exclude is ", "--exclude is "),
    (r" to rtol=(\S+) with", r" to \1 with"),
    (r", as the result's `error` says", ""),
    (r", and its `partial` is True", ""),
)
"""Patterns, and what the command says instead; a test provokes each."""


def in_options(text: str) -> str:
    """Return a message of the package as the command says it, in one line."""
    for pattern, words in PHRASES:
        text = re.sub(pattern, words, text)
    return " ".join(text.split())
