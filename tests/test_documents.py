"""Every Python block of README, docs and tutorials runs, and the docs leave nothing out."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import kwant_curl
from kwant_curl import devices

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(?:python|\{code-cell\}[^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
TUTORIALS = sorted((ROOT / "tutorials").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
WITH_CODE = [path for path in PAGES if BLOCK.search(path.read_text())]


def blocks(path):
    return BLOCK.findall(path.read_text())


IN_FILES = DOCS / "cluster.md"
"""Its blocks are files that import each other: `# name.py` is their first line."""


OLDEST = ("bent_molecule", "sweeps", "your_own_device")
"""Tutorials that run at the oldest supported versions too: others call the same routines."""


def marks_of(path):
    """Return `tutorial` for what the build of the documentation executes, `heavy` for long ones."""
    executed = "```{code-cell}" in path.read_text()
    long = path.stem == "validation" or (path in TUTORIALS and path.stem not in OLDEST)
    return [*([pytest.mark.tutorial] if executed else []), *([pytest.mark.heavy] if long else [])]


@pytest.mark.every_case
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=marks_of(path))
        for path in (*WITH_CODE, *TUTORIALS)
        if path != IN_FILES
    ],
    ids=lambda path: path.stem,
)
def test_code_blocks_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(path.parent)  # for what a page imports from beside it
    arrays = path.with_suffix(".npz")
    if arrays.exists():
        shutil.copy(arrays, tmp_path)
    code = blocks(path)
    if path == DOCS / "index.md":  # it speaks of a system that the reader has
        code.insert(0, blocks(DOCS / "quickstart.md")[0])
    namespace = {}
    for block in code:
        exec(compile(block, path.name, "exec"), namespace)
    plt.close("all")


@pytest.mark.heavy
@pytest.mark.parametrize("script", ["sweep.py", "with_dask.py"])
def test_files_of_the_cluster_page_run(tmp_path, script):
    if script == "with_dask.py":
        pytest.importorskip("distributed")
    names = []
    for block in blocks(IN_FILES):
        names.append(block.split()[1])
        (tmp_path / names[-1]).write_text(block)
    assert names == ["device.py", "sweep.py", "with_dask.py"]
    run = [sys.executable, "-W", "error", "-W", "ignore:MUMPS:RuntimeWarning", script]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split(",")) == 4


def test_pages_with_code_are_known():
    assert {path.stem for path in WITH_CODE} == {
        "arrays",
        "ase",
        "cluster",
        "enough",
        "README",
        "gallery",
        "index",
        "install",
        "quickstart",
        "validation",
        "recipes",
    }


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials_assert_a_number(path):
    assert any("assert " in block for block in blocks(path))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials_are_in_the_docs(path):
    index = (DOCS / "tutorials.md").read_text()
    assert f"](tutorials/{path.name})" in index
    assert f"\ntutorials/{path.stem}\n" in index


def test_every_public_name_is_on_the_api_page():
    page = (DOCS / "api.rst").read_text()
    ours, of_devices = page.split(".. currentmodule:: kwant_curl.devices")
    entry = re.compile(r"^(?:   |\.\. py:data:: )(\w+)$", re.MULTILINE)
    assert sorted(entry.findall(ours)) == sorted(kwant_curl.__all__)
    assert sorted(entry.findall(of_devices)) == sorted(devices.__all__)


def texts_of_the_package():
    """All strings of the code, without what is formatted in."""
    for path in Path(kwant_curl.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_messages_on_the_page_of_symptoms_are_the_packages():
    """Kwant's own ones aside."""
    rows = re.findall(r"^\| (.*?) \|", (DOCS / "symptoms.md").read_text(), re.MULTILINE)
    quoted = [text for row in rows for text in re.findall(r'"([^"]+)"', row)]
    pieces = {piece for text in quoted for piece in text.split(" ... ")}
    pieces = {piece for piece in pieces if "kwant.continuum" not in piece and "MUMPS" not in piece}
    assert len(pieces) > 20
    texts = "\n".join(texts_of_the_package())
    assert sorted(piece for piece in pieces if piece not in texts) == []


@pytest.mark.parametrize("path", [*PAGES, *TUTORIALS], ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    folder = path.parent
    for target in LINK.findall(path.read_text()):
        if target.startswith("https://"):
            continue
        # The docs' build copies the tutorials into the docs.
        copied = folder == DOCS and target.startswith("tutorials/")
        assert ((ROOT if copied else folder) / target).exists(), target
