"""data.download: where the files of a data set are, and fetching the missing ones with pooch (extra `data`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ..errors import MissingExtraError, StateError


class Origin(NamedTuple):
    """Where a data set comes from.

    Attributes
    ----------
    op : str
        The function that errors name.
    url : str
        Address of the folder that holds the files, with its last slash.
    md5 : dict
        File names and the checksums that their authors published.
    advice : str
        What to do without a network.
    """

    op: str
    url: str
    md5: dict[str, str]
    advice: str


def cache_folder() -> Path:
    """Return the folder that downloads go to: `$FASTCNN_DATA`, else `fastcnn` in the user's cache."""
    named = os.environ.get("FASTCNN_DATA")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastcnn"


def find(names: list[str], places: list[Path]) -> Path | None:
    """Return the first of `names` that exists in the first of `places` that has one."""
    return next((place / name for place in places for name in names if (place / name).is_file()), None)


def missing(origin: Origin, name: str, places: list[Path]) -> StateError:
    """Return the error for a file that may not be downloaded."""
    return StateError(f"{origin.op}: {name} is not in {_listed(places)}, and download=False; {origin.advice}")


def download(origin: Origin, name: str, places: list[Path]) -> Path:
    """Fetch `name` into the last of `places`, check it, and return its path.

    Raises StateError or MissingExtraError, whose text says where the file was looked for and what to do without a network.
    """
    advice = f"{origin.advice} (looked in {_listed(places)})"
    try:
        import pooch
    except ImportError:
        raise MissingExtraError(
            f"{origin.op}: {name} is not on this machine, and downloading needs the extra 'data': "
            f"pip install 'fastcnn[data]'; without a network, {advice}"
        ) from None
    try:
        return Path(pooch.retrieve(origin.url + name, known_hash=f"md5:{origin.md5[name]}", fname=name, path=places[-1]))
    except Exception as error:  # pooch passes on whatever requests, the disk or its own check raise
        raise StateError(f"{origin.op}: {name} could not be downloaded ({error}); {advice}") from error


def _listed(places: list[Path]) -> str:
    return ", ".join(map(str, places))
