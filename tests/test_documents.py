"""Every Python block of README and tutorials runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(?:python|\{code-cell\}[^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "tutorials").glob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_code_blocks_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(path.read_text())
    assert blocks
    namespace = {}
    for block in blocks:
        exec(compile(block, path.name, "exec"), namespace)


@pytest.mark.parametrize("path", DOCUMENTS[1:], ids=lambda path: path.stem)
def test_tutorials_assert_a_number(path):
    assert any("assert " in block for block in BLOCK.findall(path.read_text()))


def test_links_lead_somewhere():
    for path in [*DOCUMENTS, *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if not target.startswith("https://"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"
