"""cli.info: `fastcnn info`: versions, instruction set, threads, and why."""

from __future__ import annotations


def add(subparsers):
    """Describe the command."""
    return subparsers.add_parser("info", help="print versions, instruction set and threads, and why they are what they are")


def run(args) -> None:
    """Print the configuration."""
    from .. import show_config

    show_config()
