"""What pages would load over a network is found; links that a reader follows are not."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "offline.py"
spec = spec_from_file_location("offline", SCRIPT)
offline = module_from_spec(spec)
spec.loader.exec_module(offline)

OUTSIDE = "https://cdn.example.org/x"


@pytest.mark.parametrize(
    "tag",
    [
        f'<script src="{OUTSIDE}"></script>',
        f'<img alt="" src="{OUTSIDE}">',
        f'<iframe src="{OUTSIDE}"></iframe>',
        f'<object data="{OUTSIDE}"></object>',
        f'<link href="{OUTSIDE}" rel="stylesheet">',
        f'<link rel="preload" as="font" href="{OUTSIDE}">',
        f"<style>@import '{OUTSIDE}';</style>",
        f'<p style="background: url({OUTSIDE})"></p>',
    ],
)
def test_what_a_browser_loads_by_itself_is_found(tag, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "page.html").write_text(f"<html>{tag}</html>")
    assert offline.loaded_from_outside(tmp_path) == [f"deep/page.html: {OUTSIDE}"]


def test_addresses_without_a_scheme_and_style_sheets_are_found(tmp_path):
    (tmp_path / "page.html").write_text('<script src="//cdn.example.org/x"></script>')
    (tmp_path / "font.css").write_text(f'@font-face {{ src: url("{OUTSIDE}") }}')
    found = offline.loaded_from_outside(tmp_path)
    assert found == [f"font.css: {OUTSIDE}", "page.html: //cdn.example.org/x"]


def test_links_to_follow_and_files_beside_the_page_are_not(tmp_path):
    (tmp_path / "page.html").write_text(
        f'<link rel="canonical" href="{OUTSIDE}"><a href="{OUTSIDE}">x</a>'
        '<script src="_static/x.js"></script><style>p { background: url("x.png") }</style>'
        f"<p>url({OUTSIDE})</p>"
    )
    assert offline.loaded_from_outside(tmp_path) == []
