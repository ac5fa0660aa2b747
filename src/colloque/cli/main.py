"""`colloque`: the command line for operators.

Exit codes: 0 done; 1 the answer is no (not listed, does not hold); 64 wrong usage; 65 bad data, nothing was changed;
70 our own records are wrong; 74 a file can't be read or written; 75 not now, try again; 78 the configuration is wrong;
130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from colloque import __version__
from colloque.cli import annuaire, audit, config, receipt
from colloque.errors import BadInput, ColloqueError, ConfigError, NotFound, Temporary

EXIT_NO = 1
EXIT_USAGE = 64
EXIT_DATA = 65
EXIT_SOFTWARE = 70
EXIT_IO = 74
EXIT_LATER = 75
EXIT_CONFIG = ConfigError.exit_code
EXIT_INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Leaves with 64 where argparse leaves with 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how it is used."""
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """The whole command line."""
    top = Parser(prog="colloque", description="Tools for operators of Colloque.", epilog=_codes())
    top.add_argument("--version", action="version", version=f"colloque {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (annuaire, config, audit, receipt):
        module.register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Usage errors leave by SystemExit(64)."""
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except ConfigError as error:
        return _fail("\n".join(str(problem) for problem in error.problems), EXIT_CONFIG)
    except BadInput as error:
        return _fail(str(error), EXIT_DATA)
    except NotFound as error:
        return _fail(str(error), EXIT_NO)
    except Temporary as error:
        return _fail(str(error), EXIT_LATER)
    except ColloqueError as error:
        return _fail(str(error), EXIT_SOFTWARE)
    except OSError as error:
        return _fail(f"{error.filename or 'input/output'}: {error.strerror or type(error).__name__}", EXIT_IO)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    return code


def _fail(message: str, code: int) -> int:
    sys.stderr.write(message + "\n")
    return code


def _codes() -> str:
    return " ".join((__doc__ or "").split("\n\n", 1)[1].split())


if __name__ == "__main__":
    sys.exit(main())
