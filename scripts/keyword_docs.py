#!/usr/bin/env python3
"""Write the documentation of the keywords, a page in docs/ for each library, by Libdoc.

usage: scripts/keyword_docs.py [--check]

The same library gives the same bytes: neither the time nor paths of this machine are in
its page. With --check nothing is written, and the exit code is 1 if a page is not what
its library would give now.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from robot.libdocpkg import LibraryDocumentation

DOCS = Path(__file__).resolve().parent.parent / "docs"
LIBRARIES = ("DtsVirtLibrary", "DtsVirtLibrary.traffic")
# Libdoc names the Python that it ran on, of which nothing else in the page depends.
GENERATOR = re.compile(rb'(<meta content="Robot Framework [^"(]+) \(Python [^")]+\)')


def main(arguments: Sequence[str]) -> int:
    """Write or check the page and return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: scripts/keyword_docs.py [--check]", file=sys.stderr)
        return 2
    pages = {DOCS / f"{name}.html": page_now(name) for name in LIBRARIES}
    if not arguments:
        for path, page in pages.items():
            path.write_bytes(page)
            print(path)
        return 0
    old = [path for path, page in pages.items() if not path.exists() or path.read_bytes() != page]
    for path in old:
        print(f"{path} is not what the library says now: run `make docs` and commit the page.")
    return 1 if old else 0


def page_now(name: str) -> bytes:
    """Return the page that the library of this name gives now."""
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # Libdoc's time of generation
    library = LibraryDocumentation(name)
    library.source = library.lineno = None
    for keyword in [*library.inits, *library.keywords]:
        keyword.source = keyword.lineno = None
    # The page shows what it is given; Libdoc's command line does this first, save() does not.
    library.convert_docs_to_html()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, f"{name}.html")
        library.save(str(path), "HTML")
        return GENERATOR.sub(rb"\1", path.read_bytes())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
