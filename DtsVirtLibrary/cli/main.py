"""The ``dtsvirt`` command: finds the subcommand and turns errors into exit codes.

Exit codes: 0 done; 1 something is missing or failed; 2 wrong usage or configuration;
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from DtsVirtLibrary.cli import clean, doctor, guest, render, template
from DtsVirtLibrary.errors import ConfigError, DtsVirtError
from DtsVirtLibrary.version import VERSION

EXIT_CODES = """exit codes:
  0    done
  1    something is missing or failed; the text says what, and what to do
  2    wrong usage, or an error in a configuration file
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (default: the process's) and return the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        exit_code = int(parsed.function(parsed))
        sys.stdout.flush()  # so that a reader that is gone shows here
        return exit_code
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except DtsVirtError as error:
        print(f"dtsvirt: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dtsvirt: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as head(1), has seen enough
        # Python flushes standard output once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dtsvirt",
        description="Virtual machines for Robot Framework tests: what is beside the keywords.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dtsvirt {VERSION}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (doctor, render, guest, template, clean):
        command.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
