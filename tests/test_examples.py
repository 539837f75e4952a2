"""The examples in the docstrings of public names run, and say what is printed."""

import doctest
import re
import textwrap
from copy import deepcopy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import kwant_curl
from kwant_curl import devices

API = Path(__file__).parents[1] / "docs" / "api.rst"
PUBLIC = {
    name: getattr(module, name)
    for module in (kwant_curl, devices)
    for name in module.__all__
    if not isinstance(getattr(module, name), kwant_curl.Units)  # constants have no docstring
}


@pytest.fixture(scope="module")
def shared_names():
    """What the API page says that examples assume."""
    block = re.search(r"code-block:: python\n\n((?:   .*\n|\n)+)", API.read_text())[1]
    namespace = {}
    exec(textwrap.dedent(block), namespace)
    return namespace


def examples_of(name, names):
    names = {**names, "builder": deepcopy(names["builder"])}  # an example may change it
    text = PUBLIC[name].__doc__ or ""
    return doctest.DocTestParser().get_doctest(text, names, name, None, 0)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_examples_run(name, shared_names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test = examples_of(name, shared_names)
    assert test.examples, "every public name has an example in its docstring"
    said = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert said == [], "".join(said)
    plt.close("all")
