"""Shared files: made once by many, refused where they are not right, rebuilt for a new boot."""

import errno
import os
import re
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trafficcore.errors import ConfigError, StoreError
from trafficcore.store import HostFile, SharedGcra, opening
from trafficcore.store.layout import Header, file_size

BOOT, EARLIER = b"b" * 16, b"a" * 16


def names(folder):
    return [each.name for each in Path(folder).iterdir()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "limits"


@pytest.fixture
def opened(path):
    """Open the file at `path` again and again; all are closed at the end."""
    files = []

    def open_one(slots=4, **settings):
        files.append(HostFile(path, slots=slots, **{"boot": BOOT, **settings}))
        return files[-1]

    yield open_one
    for file in files:
        file.close()


def refused(path, message, slots=4):
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=f"^{re.escape(str(path))} {message}"):
        HostFile(path, slots=slots, boot=BOOT)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_new_file_is_whole_private_and_alone(path, opened):
    opened()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == file_size(4)
    assert path.stat().st_nlink == 1
    assert names(path.parent) == ["limits"]


def test_who_opens_it_again_finds_what_was_left(opened):
    SharedGcra(opened(), "a", 3, 0.001).try_acquire(5.0, 2)
    assert SharedGcra(opened(), "a", 3, 0.001).tokens_at(5.0) == pytest.approx(1)
    assert SharedGcra(opened(), "b", 3, 0.001).tokens_at(5.0) == 3


def test_the_same_key_is_the_same_place_in_every_opening(opened):
    one, other = opened(), opened()
    assert one.find("a") == other.find("a")
    assert len({one.find(key) for key in "abcd"}) == 4
    assert [one.find(key) for key in "abcd"] == [other.find(key) for key in "abcd"]


def test_a_table_that_is_full_says_how_large_it_is(path, opened):
    file = opened()
    for key in "abcd":
        file.find(key)
    with pytest.raises(StoreError, match=r"has no room for 'e': all 4 slots are taken"):
        file.find("e")
    assert file.find("d")


def test_many_that_start_at_once_make_one_file(path):
    """Eight at a barrier, again and again: they all count in one bucket."""
    for turn in range(20):
        place = path.with_name(f"limits{turn}")
        barrier = threading.Barrier(8)

        def start(place=place, barrier=barrier):
            barrier.wait()
            file = HostFile(place, slots=4, boot=BOOT)
            granted = SharedGcra(file, "a", 5, 1e-6).try_acquire(1.0)
            file.close()
            return granted

        with ThreadPoolExecutor(8) as pool:
            granted = sum(future.result() for future in [pool.submit(start) for _ in range(8)])
        assert granted == 5
    assert len(names(path.parent)) == 20


def test_many_that_start_after_a_boot_rebuild_it_once(path):
    for turn in range(20):
        place = path.with_name(f"limits{turn}")
        place.write_bytes(Header(4, EARLIER).image())
        place.chmod(0o600)
        barrier = threading.Barrier(8)

        def start(place=place, barrier=barrier):
            barrier.wait()
            file = HostFile(place, slots=4, boot=BOOT)
            granted = SharedGcra(file, "a", 5, 1e-6).try_acquire(1.0)
            file.close()
            return granted

        with ThreadPoolExecutor(8) as pool:
            granted = sum(future.result() for future in [pool.submit(start) for _ in range(8)])
        assert granted == 5
    assert len(names(path.parent)) == 20


def test_a_file_of_another_boot_is_replaced_whatever_is_wrong_with_the_rest(path, opened):
    SharedGcra(opened(boot=EARLIER), "a", 1, 1e-6).try_acquire(1e6)
    assert SharedGcra(opened(), "a", 1, 1e-6).try_acquire(1.0)
    path.write_bytes(Header(9, EARLIER).image()[:200])
    opened()
    assert path.stat().st_size == file_size(4)
    assert names(path.parent) == ["limits"]


def test_a_file_that_goes_between_two_looks_is_made_anew(path, opened, monkeypatch):
    """Of another boot, and removed by somebody else while its lock is waited for."""
    path.write_bytes(Header(4, EARLIER).image())
    path.chmod(0o600)

    def seize(*_):
        path.unlink()
        return True

    monkeypatch.setattr(opening, "seize", seize)
    assert SharedGcra(opened(), "a", 1, 1e-6).try_acquire(1.0)


def test_a_rebuild_that_another_does_not_finish_is_told(path, monkeypatch):
    path.write_bytes(Header(4, EARLIER).image())
    path.chmod(0o600)
    monkeypatch.setattr(opening, "seize", lambda *_: False)
    refused(path, "is of another boot, and who makes it anew does not finish")


def test_a_path_that_never_holds_still_is_given_up(path, monkeypatch):
    monkeypatch.setattr(opening, "_create", lambda *_: None)
    refused(path, "does not stay in its place")


def test_a_file_that_is_not_ours_is_refused_and_left(path):
    path.write_bytes(b"precious" * 100)
    path.chmod(0o600)
    refused(path, "is no file of trafficcore's; it was left as it is")
    path.write_bytes(b"")
    refused(path, "is no file of trafficcore's")


def test_a_torn_header_is_refused(path):
    image = bytearray(Header(4, BOOT).image())
    image[20] ^= 0xFF
    path.write_bytes(image)
    path.chmod(0o600)
    refused(path, "has a torn header; remove it while none of its workers runs")


def test_another_layout_number_of_slots_or_size_is_refused(path):
    image = Header(4, BOOT).image()
    path.write_bytes(image[:8] + b"\x07" + image[9:])
    path.chmod(0o600)
    refused(path, "has layout version 7, not 1")
    path.write_bytes(image)
    refused(path, "was made with slots=4, not 5", slots=5)
    path.write_bytes(image[:-1])
    refused(path, "has 191 bytes, not 192")
    path.write_bytes(image + b"\0")
    refused(path, "has 193 bytes, not 192")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o700, 0o4600])
def test_a_mode_wider_than_0600_is_refused(path, opened, mode):
    opened()
    path.chmod(mode)
    refused(path, f"has mode {mode:04o}, which is wider than 0600")


def test_a_link_is_refused(path, opened):
    opened()
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    refused(path, f"cannot be opened: {os.strerror(errno.ELOOP)}")


def test_what_is_no_regular_file_is_refused(path):
    os.mkfifo(path, 0o600)
    refused(path, "is no regular file")


def test_another_users_file_is_refused(path, opened, monkeypatch):
    opened()
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    refused(path, f"belongs to user {uid}, not to {uid + 1}")


def test_a_directory_that_is_not_there_is_told(tmp_path):
    refused(tmp_path / "none" / "limits", f"cannot be opened: {os.strerror(errno.ENOENT)}")


def test_a_full_disk_is_told_at_once_and_leaves_nothing(path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    refused(path, f"cannot be opened: {os.strerror(errno.ENOSPC)}")
    assert names(path.parent) == []


def test_slots_are_checked(path):
    with pytest.raises(ConfigError, match="slots must be at least 1, not 0"):
        HostFile(path, slots=0)


def test_this_boot_is_what_counts_by_default(path):
    HostFile(path, slots=4).close()
    HostFile(path, slots=4).close()
    assert path.stat().st_size == file_size(4)


def test_refusals_leave_no_descriptor_open(path):
    path.write_bytes(b"precious")
    path.chmod(0o600)
    before = len(names("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(StoreError):
            HostFile(path, slots=4, boot=BOOT)
    assert len(names("/proc/self/fd")) == before


def test_closing_leaves_no_descriptor_open(path):
    before = len(names("/proc/self/fd"))
    HostFile(path, slots=4, boot=BOOT).close()
    assert len(names("/proc/self/fd")) == before
