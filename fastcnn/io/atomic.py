"""io.atomic: replace a file so that a crash leaves the old complete file or the new complete file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from ..errors import ArgumentError


def replace_file(path: str | os.PathLike, write: Callable[[Path], None]) -> None:
    """Call `write(temporary path)`, then put that file in the place of `path`.

    Parameters
    ----------
    path : path
        A symbolic link is followed: the file it names is replaced. The mode bits of an existing file are kept.
    write : callable
        Writes the whole content into the path that it is given, an empty file in the same folder.

    Raises
    ------
    OSError
        Whatever the file system reports; the old file is then intact and the temporary file is gone.
    ArgumentError
        When `path` exists and is not a regular file.

    Notes
    -----
    The order is: write, fsync of the file, rename over `path`, fsync of the folder. A process killed in between may leave a
    file `.<name>.<random>.tmp` behind, never a partial `path`.
    """
    target = Path(os.path.realpath(path))
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise ArgumentError(f"save: {target} exists and is not a regular file")
    temporary = target.with_name(f".{target.name[:200]}.{token_hex(8)}.tmp")
    mode = _create(temporary, old)
    try:
        write(temporary)
        _flush(temporary, mode, old)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _fsync_folder(target.parent)


def _create(temporary: Path, old: os.stat_result | None) -> int:
    """Create the file, private where the old one may be, and return the mode that it shall end with."""
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if old is None else 0o600)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode if old is None else old.st_mode)
    finally:
        os.close(descriptor)


def _flush(temporary: Path, mode: int, old: os.stat_result | None) -> None:
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        new = os.fstat(descriptor)
        if old is not None and (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            with suppress(PermissionError):  # only a privileged process may give a file away
                os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
