"""tests.io.test_atomic: a save leaves the old complete file or the new complete file, with the old mode."""

import os
import stat

import numpy as np
import pytest

from fastcnn.errors import ArgumentError
from fastcnn.io.atomic import replace_file
from fastcnn.io.safetensors_file import read_arrays, write_arrays


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_order_is_write_fsync_rename_fsync_of_the_folder(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def spy_fsync(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"file of {os.fstat(descriptor).st_size}")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("rename"), replace(a, b)))
    replace_file(tmp_path / "a", lambda temporary: temporary.write_bytes(b"12345"))
    assert events == ["file of 5", "rename", "folder"]


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o666, 0o640, 0o400])
def test_the_mode_of_the_old_file_is_kept(tmp_path, bits):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"old")
    path.chmod(bits)
    write_arrays(path, {"a": np.zeros(3)})
    assert mode(path) == bits and list(read_arrays(path)[0]) == ["a"]


def test_a_new_file_gets_what_the_umask_leaves(tmp_path):
    old = os.umask(0o027)
    try:
        write_arrays(tmp_path / "w.safetensors", {"a": np.zeros(3)})
    finally:
        os.umask(old)
    assert mode(tmp_path / "w.safetensors") == 0o640


def test_a_private_file_is_never_readable_to_others(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    seen = []
    replace_file(path, lambda temporary: (seen.append(mode(temporary)), temporary.write_bytes(b"new")))
    assert seen == [0o600] and path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write(temporary):
        temporary.write_bytes(b"half of the ne")
        raise error

    with pytest.raises(type(error)):
        replace_file(path, write)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_system_call_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(*_args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="Input/output"):
        replace_file(path, lambda temporary: temporary.write_bytes(b"new"))
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_links_are_followed_and_devices_refused(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    replace_file(tmp_path / "link", lambda temporary: temporary.write_bytes(b"new"))
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"
    for place in (tmp_path, "/dev/null"):
        with pytest.raises(ArgumentError, match="not a regular file"):
            replace_file(place, lambda temporary: None)
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "no" / "folder", lambda temporary: None)


def test_saving_over_a_mapped_file_leaves_the_mapping_alone(tmp_path):
    path = tmp_path / "w.safetensors"
    write_arrays(path, {"a": np.arange(1000.0)})
    mapped = np.memmap(path, mode="r")
    before = bytes(mapped)
    write_arrays(path, {"a": np.zeros(3)})
    assert bytes(mapped) == before and read_arrays(path)[0]["a"].shape == (3,)
