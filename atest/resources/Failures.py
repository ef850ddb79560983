"""Looks at the errors behind failures: their class and what they carry."""

from __future__ import annotations

from robot.api import logger
from robot.api.deco import keyword, library
from robot.errors import ExecutionFailed
from robot.libraries.BuiltIn import BuiltIn

from DtsVirtLibrary.errors import DtsVirtError


@library(scope="GLOBAL", auto_keywords=False)
class Failures:
    """Runs keywords that must fail."""

    @keyword
    def should_fail_with(self, error: str, name: str, *arguments: object) -> DtsVirtError:
        """Runs a keyword, fails unless it raises an error of this class, and returns that."""
        try:
            BuiltIn().run_keyword(name, *arguments)
        except ExecutionFailed as failure:
            cause = _cause(failure)
            logger.info(cause.whole_text())
            if type(cause).__name__ != error:
                raise AssertionError(f"{type(cause).__name__}, not {error}: {cause}") from cause
            return cause
        raise AssertionError(f"'{name}' did not fail; {error} was expected.")

    @keyword
    def should_fail_saying(self, error: str, pattern: str, name: str, *arguments: object) -> str:
        """Runs a keyword, fails unless its error has this class and text, and returns the text."""
        text = str(self.should_fail_with(error, name, *arguments))
        BuiltIn().should_match(text, pattern)
        return text


def _cause(failure: BaseException) -> DtsVirtError:
    """Return the library's error that Robot Framework's own one was made of."""
    found = failure.__context__
    while found is not None:
        if isinstance(found, DtsVirtError):
            return found
        found = found.__context__
    raise AssertionError(f"No error of the library is behind this: {failure}") from failure
