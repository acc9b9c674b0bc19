"""tests.io.test_crash: kill -9 during a save, and every failing system call: always a whole file, never a leftover."""

import errno
import fcntl
import os
import resource
import signal
import stat
import struct
import subprocess
import tempfile
import time
from io import FileIO
from pathlib import Path

import numpy as np
import pytest

from fastcnn.io import atomic, safetensors_file
from fastcnn.io.tree_file import load_tree, save_tree

KILLS = 10_000 if os.environ.get("FASTCNN_STRESS") else 60


def tree(step, size=50_000):
    """A state whose every number says which save it belongs to."""
    return {"step": step, "weights": {"a": np.full(size + step, step, "f4"), "b": np.full((7, 3), step, "f8")}}


def whole(path):
    """Return the step of a file after checking all of it (the sha256 is checked by `load_tree`)."""
    loaded = load_tree(path)
    step = loaded["step"]
    assert loaded["weights"]["a"].shape == (50_000 + step,)
    assert all((array == step).all() for array in loaded["weights"].values())
    return step


def save_for_ever(path, first, acknowledge):
    for step in range(first, 1 << 30):
        save_tree(path, tree(step))
        os.write(acknowledge, struct.pack("q", step))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_kill_9_during_a_save(tmp_path):
    path = tmp_path / "run.safetensors"
    rng = np.random.default_rng(0)
    step, within = 0, 0
    for _ in range(KILLS):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                save_for_ever(path, step + 1, writing)
            finally:
                os._exit(1)
        os.close(writing)
        acknowledged = struct.unpack("q", os.read(reading, 8))[0]
        time.sleep(rng.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        with open(reading, "rb") as pipe:
            acknowledged = [acknowledged, *(number for (number,) in struct.iter_unpack("q", pipe.read()))][-1]
        step = whole(path)
        assert acknowledged <= step <= acknowledged + 1
        leftovers = set(os.listdir(tmp_path)) - {path.name}
        assert len(leftovers) <= 1  # those of the processes before are gone
        within += len(leftovers)
    assert within > KILLS // 10, "the kills came between the saves, not within them"
    save_tree(path, tree(step))
    assert os.listdir(tmp_path) == [path.name]


def test_files_of_living_writers_and_of_others_stay(tmp_path):
    path = tmp_path / "a"
    others = [
        ".a.tmp",
        ".a.0123456789abcdef.tmp.x",
        ".b.0123456789abcdef.tmp",
        "a.0123456789abcdef.tmp",
        ".a.0123456789ABCDEF.tmp",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".a.00000000000000ff.tmp").mkdir()
    (tmp_path / ".a.00000000000000fe.tmp").symlink_to(tmp_path / others[0])
    abandoned = tmp_path / ".a.0123456789abcdef.tmp"
    abandoned.write_bytes(b"half")
    abandoned.chmod(0o400)

    def write(temporary):
        assert not abandoned.exists()
        atomic.replace_file(path, lambda inner: inner.write_bytes(b"inner"))  # another save while this one is under way
        temporary.write_bytes(b"outer")

    atomic.replace_file(path, write)
    assert path.read_bytes() == b"outer"
    assert set(os.listdir(tmp_path)) == {"a", *others, ".a.00000000000000ff.tmp", ".a.00000000000000fe.tmp"}


def test_a_writer_whose_file_was_taken_makes_another(tmp_path, monkeypatch):
    flock, taken = fcntl.flock, []

    def late(descriptor, how):
        if not taken:  # the cleaner of another process comes between creation and lock
            taken.extend(tmp_path.glob(".a.*.tmp"))
            taken[0].unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    atomic.replace_file(tmp_path / "a", lambda temporary: temporary.write_bytes(b"new"))
    assert (tmp_path / "a").read_bytes() == b"new" and os.listdir(tmp_path) == ["a"]


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    (tmp_path / ".a.0123456789abcdef.tmp").write_bytes(b"")
    monkeypatch.setattr(fcntl, "flock", refuse)
    atomic.replace_file(tmp_path / "a", lambda temporary: temporary.write_bytes(b"new"))
    assert set(os.listdir(tmp_path)) == {"a", ".a.0123456789abcdef.tmp"}  # nobody knows whether its writer lives


class FailingFile:
    """A file that fails after some bytes, or when it is closed."""

    def __init__(self, path, call, error):
        self.file = FileIO(path, "w")
        self.call, self.error, self.written = call, error, 0

    def write(self, content):
        self.written += len(content)
        if self.call == "write" and self.written > 100_000:
            self.file.write(bytes(content)[:1000])
            raise self.error
        return self.file.write(content)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.file.close()
        if self.call == "close":
            raise self.error


CALLS = ("open", "flock", "write", "close", "fchmod", "fsync", "replace")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS)


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", CALLS)
def test_a_failing_call_is_an_error_and_leaves_the_old_file(tmp_path, monkeypatch, call, number):
    path = tmp_path / "c"
    save_tree(path, tree(1))
    error = OSError(number, os.strerror(number))

    def fail(*_arguments):
        raise error

    if call in ("write", "close"):
        monkeypatch.setattr(safetensors_file, "open", lambda p, _mode: FailingFile(p, call, error), raising=False)
    elif call == "open":
        real = os.open
        monkeypatch.setattr(os, "open", lambda p, flags, *mode: fail() if flags & os.O_CREAT else real(p, flags, *mode))
    else:
        monkeypatch.setattr(fcntl if call == "flock" else os, call, fail)
    with pytest.raises(OSError) as raised:
        save_tree(path, tree(2))
    monkeypatch.undo()
    assert raised.value.errno == number
    assert whole(path) == 1 and os.listdir(tmp_path) == [path.name]


def in_child(function):
    """Run `function` in a forked child and return the error it raised, as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            function()
            os.write(writing, b"no error")
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_no_room_left_by_the_limit_of_the_process(tmp_path):
    path = tmp_path / "c"
    save_tree(path, tree(1))

    def save():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        save_tree(path, tree(2))

    assert "File too large" in in_child(save)
    assert whole(path) == 1 and os.listdir(tmp_path) == [path.name]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_folder_that_may_not_be_written():
    with tempfile.TemporaryDirectory() as folder:  # the folders of pytest let nobody else in
        path = Path(folder) / "c"
        save_tree(path, tree(1))
        os.chmod(folder, 0o555)

        def save():
            if os.getuid() == 0:
                os.setuid(65534)
            save_tree(path, tree(2))

        try:
            text = in_child(save)
        finally:
            os.chmod(folder, 0o755)
        assert "PermissionError" in text and ".tmp" in text
        assert whole(path) == 1 and os.listdir(folder) == ["c"]


def mounted(folder, options):
    """Mount a file system in memory on `folder`; skip the test where that is not allowed."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no right to mount: {done.stderr.strip()}")


@pytest.mark.parametrize("full", [True, False])
def test_a_full_and_a_read_only_disk(tmp_path, full):
    mounted(tmp_path, "size=512k")
    try:
        path = tmp_path / "c"
        save_tree(path, tree(1))
        assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
        if not full:
            subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
        with pytest.raises(OSError) as raised:
            save_tree(path, tree(2, 100_000))
        assert raised.value.errno == (errno.ENOSPC if full else errno.EROFS)
        assert whole(path) == 1 and os.listdir(tmp_path) == [path.name]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_memory_error_during_a_save(tmp_path, monkeypatch):
    path = tmp_path / "c"
    save_tree(path, tree(1))
    calls = []

    def stored_bytes(array):
        calls.append(array)
        if len(calls) == 2:
            raise MemoryError
        return array.reshape(-1).view("u1").data

    monkeypatch.setattr(safetensors_file, "stored_bytes", stored_bytes)
    with pytest.raises(MemoryError):
        save_tree(path, tree(2))
    assert whole(path) == 1 and os.listdir(tmp_path) == [path.name]
