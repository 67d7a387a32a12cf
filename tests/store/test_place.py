"""Where shared files live, and which directories are not trusted."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from trafficcore.errors import StoreError
from trafficcore.store import lock, share_directory

OWN = f"trafficcore-{os.geteuid()}"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_our_own_variable_goes_first(tmp_path):
    environ = {"TRAFFICCORE_SHARE_DIR": f"{tmp_path}/a/b", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert share_directory(environ) == tmp_path / "a/b"
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700


def test_then_the_runtime_directory_if_it_is_there(tmp_path):
    memory = tmp_path / "shm"
    memory.mkdir()
    run = tmp_path / "run"
    assert share_directory({"XDG_RUNTIME_DIR": str(run)}, memory) == memory / OWN
    run.mkdir()
    assert share_directory({"XDG_RUNTIME_DIR": str(run)}, memory) == run / "trafficcore"


def test_then_shared_memory_and_at_last_the_temporary_directory(tmp_path, temporary):
    memory = tmp_path / "shm"
    assert share_directory({}, memory) == temporary / OWN
    memory.mkdir()
    assert share_directory({"TRAFFICCORE_SHARE_DIR": ""}, memory) == memory / OWN
    assert share_directory({}, memory) == memory / OWN


def test_the_default_is_the_environment_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAFFICCORE_SHARE_DIR", str(tmp_path / "here"))
    assert share_directory() == tmp_path / "here"


def test_what_others_can_write_or_read_is_refused(tmp_path):
    for mode in (0o750, 0o701, 0o777):
        folder = tmp_path / oct(mode)
        folder.mkdir()
        folder.chmod(mode)
        with pytest.raises(
            StoreError, match=rf"{folder}, .* is open to others \(mode {mode:04o}\)"
        ):
            share_directory({"TRAFFICCORE_SHARE_DIR": str(folder)})


def test_a_link_or_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StoreError, match="link, for shared limits, is no directory"):
        share_directory({"TRAFFICCORE_SHARE_DIR": str(tmp_path / "link")})
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file, for shared limits, cannot be made: File exists"):
        share_directory({"TRAFFICCORE_SHARE_DIR": str(tmp_path / "file")})


def test_another_users_directory_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    real = Path.lstat

    def theirs(path):
        status = list(real(path))
        status[4] += 1
        return os.stat_result(status)

    monkeypatch.setattr(Path, "lstat", theirs)
    with pytest.raises(StoreError, match=rf"belongs to user {os.geteuid() + 1}, not to"):
        share_directory({"TRAFFICCORE_SHARE_DIR": str(folder)})


def test_a_system_without_flock_is_told_so(monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    with pytest.raises(StoreError, match=r"cannot be shared on posix: it has no fcntl\.flock"):
        share_directory()


WITHOUT = """
import sys
sys.modules["fcntl"] = None
from trafficcore import RateLimiter
from trafficcore.errors import StoreError
assert RateLimiter(1).try_acquire()
try:
    RateLimiter(1, share="host", name="x")
except StoreError as error:
    print(error)
"""


def test_without_fcntl_all_else_works():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, check=False, text=True
    )
    assert done.stdout == "limits cannot be shared on posix: it has no fcntl.flock\n", done.stderr
