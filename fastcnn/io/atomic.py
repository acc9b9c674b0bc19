"""io.atomic: replace a file so that a crash leaves the old complete file or the new complete file."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from ..errors import ArgumentError

# What a file system without locks or without fsync of folders answers.
_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EBADF}


def replace_file(path: str | os.PathLike, write: Callable[[Path], object]) -> None:
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
    file `.<name>.<random>.tmp` behind, never a partial `path`; the next save to the same path removes it. The writer holds a
    lock on its temporary file, and the system drops the lock of a dead process, so the file of a living writer stays.
    """
    target = Path(os.path.realpath(path))
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise ArgumentError(f"save: {target} exists and is not a regular file")
    prefix = f".{target.name[:200]}."
    _remove_abandoned(target.parent, prefix)
    temporary, lock = _create(target, prefix, old)
    try:
        mode = stat.S_IMODE(os.fstat(lock).st_mode if old is None else old.st_mode)
        write(temporary)
        _flush(temporary, mode, old)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        os.close(lock)
    _fsync_folder(target.parent)


def _create(target: Path, prefix: str, old: os.stat_result | None) -> tuple[Path, int]:
    """Create the temporary file, private where the old one may be; return its path and a descriptor that holds its lock."""
    while True:
        temporary = target.with_name(f"{prefix}{token_hex(8)}.tmp")
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if old is None else 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                os.close(descriptor)
                temporary.unlink()
                raise
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)  # another process took it for an abandoned one before the lock was ours


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove the temporary files of this target whose writers are dead: those that nobody has locked."""
    pattern = re.compile(re.escape(prefix) + r"[0-9a-f]{16}\.tmp")
    with suppress(OSError):
        for name in filter(pattern.fullmatch, os.listdir(folder)):
            for access in (os.O_RDWR, os.O_RDONLY):  # locks over NFS need a file open for writing; a mode of 0400 forbids it
                with suppress(OSError):
                    descriptor = os.open(folder / name, access | os.O_NOFOLLOW | os.O_NONBLOCK)
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(folder / name)
                    finally:
                        os.close(descriptor)
                    break


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
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)
