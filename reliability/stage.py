"""A keyword by which a suite of the kill matrix says how far it is."""

from __future__ import annotations

import os

from robot.api.deco import keyword, library

from reliability.killer import report


@library(scope="GLOBAL", auto_keywords=False)
class Stage:
    """Tells the kill matrix."""

    @keyword
    def tell(self, word: str) -> None:
        """Says a word, with the number of this process."""
        report(**{word: os.getpid()})
