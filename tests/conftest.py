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


def pytest_addoption(parser):
    parser.addoption(
        "--each-once",
        action="store_true",
        help="of parametrised tests the first case alone: what depends on versions of other "
        "packages depends on the code and not on the numbers",
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--each-once"):
        return
    first = {item.nodeid.partition("[")[0]: item for item in reversed(items)}
    kept = {*first.values(), *(item for item in items if item.get_closest_marker("every_case"))}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")
