#!/usr/bin/env python3
"""Write docs/DtsVirtLibrary.html, the documentation of the keywords, by Libdoc.

usage: scripts/keyword_docs.py [--check]

The same library gives the same bytes: neither the time nor paths of this machine are in
the page. With --check nothing is written, and the exit code is 1 if the page is not what
the library would give now.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from robot.libdocpkg import LibraryDocumentation

PAGE = Path(__file__).resolve().parent.parent / "docs/DtsVirtLibrary.html"


def main(arguments: Sequence[str]) -> int:
    """Write or check the page and return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: scripts/keyword_docs.py [--check]", file=sys.stderr)
        return 2
    page = page_now()
    if not arguments:
        PAGE.write_bytes(page)
        print(PAGE)
    elif not PAGE.exists() or PAGE.read_bytes() != page:
        print(f"{PAGE} is not what the library says now: run `make docs` and commit the page.")
        return 1
    return 0


def page_now() -> bytes:
    """Return the page that the library gives now."""
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # Libdoc's time of generation
    library = LibraryDocumentation("DtsVirtLibrary")
    library.source = library.lineno = None
    for keyword in [*library.inits, *library.keywords]:
        keyword.source = keyword.lineno = None
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, PAGE.name)
        library.save(str(path), "HTML")
        return path.read_bytes()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
