"""Sphinx: `uv run --group docs sphinx-build -n -W --keep-going docs docs/_build/html`."""

import hashlib
import os
import re
import shutil
import sys
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from numpydoc import xref
from sphinx.errors import SphinxError
from sphinx.util import logging

import kwant_curl
from kwant_curl import devices

HERE = Path(__file__).parent
ROOT = HERE.parent

sys.path.insert(0, str(HERE))
from offline import loaded_from_outside  # noqa: E402

project = "kwant_curl"
author = "The kwant_curl authors"
copyright = f"2026, {author}"
release = version = version_of("kwant-curl")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "jupyter_execute", "templates"]
templates_path = ["templates"]


def copy_tutorials() -> None:
    """Copy the tutorials and their arrays, which live beside `docs`, into it, if changed."""
    copies = HERE / "tutorials"
    copies.mkdir(exist_ok=True)
    folder = ROOT / "tutorials"
    paths = [*folder.glob("*.md"), *folder.glob("*.npz")]
    originals = {path.name: path.read_bytes() for path in paths}
    for copy in copies.iterdir():
        if copy.is_file() and copy.name not in originals:
            copy.unlink()
    for name, text in originals.items():
        copy = copies / name
        if not copy.exists() or copy.read_bytes() != text:
            copy.write_bytes(text)


def digest_of_package() -> str:
    """Return a number that changes with the code, and with the tutorials' arrays."""
    digest = hashlib.sha256()
    code = [*sorted(Path(kwant_curl.__file__).parent.rglob("*.py")), *sorted(HERE.glob("*.py"))]
    for path in [*code, *sorted((ROOT / "tutorials").glob("*.npz"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


copy_tutorials()

# Pages in MyST Markdown; those with a Jupyter header are executed.
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
# What the kernels needn't tell the reader: no progress bars for notebooks, no MUMPS, no plotly.
os.environ["PYTHONWARNINGS"] = (
    "ignore:IProgress not found,ignore:MUMPS is not available,ignore:plotly is not available"
)
# Figures are kept in the notebooks, whichever backend is chosen outside.
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
# At twice the resolution: the theme makes them as wide as the text at most.
os.environ["MATPLOTLIBRC"] = str(HERE / "matplotlibrc")
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / ".executed" / digest_of_package())
nb_execution_raise_on_error = True
nb_execution_in_temp = True  # they may write files; one that reads arrays says otherwise itself
nb_execution_timeout = 300
nb_execution_show_tb = True
nb_output_stderr = "warn"  # a warning of Python's is one of the build
nb_merge_streams = True


def keep_bars(app, what, name, obj, options, lines) -> None:
    """Escape the bars of docstrings: formulas there are plain text, and |x| no substitution."""
    bars = re.compile(r"(`+)[^`]*\1|\|")
    lines[:] = [bars.sub(lambda m: r"\|" if m[0] == "|" else m[0], line) for line in lines]


def spread_notebooks(app, env, docnames) -> None:
    """Put what is executed evenly among the other pages: `-j` gives neighbours to one process."""
    executed = [name for name in docnames if "{code-cell}" in env.doc2path(name).read_text()]
    others = [name for name in docnames if name not in executed]
    place = {
        name: (index + 0.5) / len(names)
        for names in (executed, others)
        for index, name in enumerate(names)
    }
    docnames.sort(key=place.__getitem__)


def ask_for_figures(app, doctree) -> None:
    """Warn of a tutorial without a figure: its kernel drew where nobody sees it."""
    name = app.env.docname
    if name.startswith("tutorials/") and not any(doctree.findall(nodes.image)):
        logging.getLogger(__name__).warning("%s has no figure", name, location=name)


def offer_notebook(app, pagename, templatename, context, doctree) -> None:
    """Lay the executed notebook beside the page's source, where the theme's button looks."""
    source = HERE / f"{pagename}.md"
    if source.exists() and "{code-cell}" in source.read_text():
        executed = Path(app.outdir).parent / "jupyter_execute" / f"{pagename}.ipynb"
        copy = Path(app.outdir) / "_sources" / f"{pagename}.ipynb"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(executed, copy)
        context["ipynb_source"] = f"{pagename}.ipynb"


def copy_mathjax(app) -> None:
    """Copy of MathJax what pages load, so that formulas need no network."""
    static = Path(app.outdir) / "_static" / "mathjax"
    for name in ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions"):
        source, copy = MATHJAX / name, static / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, dirs_exist_ok=True)
        else:
            shutil.copy(source, copy)


def finish(app, failure) -> None:
    """Lay MathJax beside the pages, and fail if a page needs a network to be seen."""
    if failure is None and app.builder.format == "html":
        copy_mathjax(app)
        outside = loaded_from_outside(Path(app.outdir))
        if outside:
            raise SphinxError("loaded over a network:\n" + "\n".join(outside))


def setup(app) -> None:
    """Come before numpydoc and the theme, and see the pages before and after they are read."""
    app.connect("autodoc-process-docstring", keep_bars, priority=400)
    app.connect("env-before-read-docs", spread_notebooks)
    app.connect("doctree-read", ask_for_figures)
    app.connect("html-page-context", offer_notebook, priority=400)
    app.connect("build-finished", finish)


# The API, from the docstrings.
autosummary_generate = True
autosummary_filename_map = {
    # Some file systems don't tell capitals from small letters.
    "kwant_curl.stability": "kwant_curl.stability-function",
}
autodoc_typehints = "none"  # the docstrings have the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
# Our own names become links where they stand for a type.  Nothing else does: that would need the
# inventories of other projects, and the network.
xref.DEFAULT_LINKS.clear()
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    name: f":obj:`{name} <{module.__name__}.{name}>`"
    for module in (kwant_curl, devices)
    for name in module.__all__
}

# The package holds files; as an extension it would copy all 24 MB of them, and forbid `--jobs`.
MATHJAX = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
mathjax_path = "mathjax/tex-chtml.js"

html_theme = "sphinx_book_theme"
html_title = "kwant_curl"
html_theme_options = {
    "show_toc_level": 2,
    "navbar_persistent": [],  # the side bar has a search field
}
html_show_sourcelink = False
html_copy_source = True  # the theme's button offers it, and the notebook
copybutton_exclude = ".linenos, .gp, .go"
