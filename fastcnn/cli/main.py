"""cli.main: the parser, the exit codes, errors as one line on stderr."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import FastcnnError
from . import bench, demo, info, predict, train

COMMANDS = (demo, train, predict, bench, info)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="fastcnn", description="Train, shrink and run convolutional networks on CPUs.")
    top.add_argument("--version", action="version", version=f"fastcnn {__version__}")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="command")
    for command in COMMANDS:
        added = command.add(subparsers)
        added.set_defaults(run=command.run)
        added.add_argument("--threads", type=int, metavar="N", help="threads of the kernels (default: the CPUs allowed)")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 after an error, 2 for wrong arguments, 130 when interrupted."""
    arguments = parser().parse_args(argv)
    try:
        if arguments.threads is not None:
            from ..threads import set_num_threads

            set_num_threads(arguments.threads)
        arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has gone, e.g. `fastcnn info | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (FastcnnError, OSError) as error:
        print(f"fastcnn {arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
