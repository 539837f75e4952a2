"""Settings for all tests."""

import os

import hypothesis
import matplotlib
import matplotlib.pyplot as plt
import pytest

# One thread: the systems are small, and two test runs shall give the same numbers.
os.environ.setdefault("OMP_NUM_THREADS", "1")
matplotlib.use("Agg")
hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None, max_examples=25)
hypothesis.settings.load_profile("seeded")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")
