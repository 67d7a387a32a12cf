"""Which boot this is, as Linux and macOS say it."""

import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from trafficcore.errors import StoreError
from trafficcore.store.boot import boot_identity

TEXT = "0b8e3f1e-3a57-4d0a-9d1c-5f1f6ae53d0e\n"


def test_a_boot_is_16_bytes_and_stays_the_same(tmp_path):
    file = tmp_path / "boot_id"
    file.write_text(TEXT)
    assert boot_identity(file) == UUID(TEXT.strip()).bytes


@pytest.mark.skipif(not Path("/proc/sys/kernel/random/boot_id").exists(), reason="not Linux")
def test_this_boot_is_told():
    assert boot_identity() == boot_identity()
    assert len(boot_identity()) == 16


def test_where_there_is_no_file_sysctl_is_asked(tmp_path):
    assert boot_identity(tmp_path / "none", TEXT.upper) == UUID(TEXT.strip()).bytes


def missing():
    raise FileNotFoundError("/usr/sbin/sysctl")


def failing():
    raise subprocess.CalledProcessError(1, "sysctl")


@pytest.mark.parametrize("ask", [missing, failing, lambda: "", lambda: "soon"])
def test_a_boot_that_cannot_be_told_is_an_error(tmp_path, ask):
    with pytest.raises(
        StoreError, match="limits cannot be shared: which boot this is cannot be told: "
    ):
        boot_identity(tmp_path / "none", ask)


def test_sysctl_is_asked_for_the_identity_of_the_boot_session(tmp_path, monkeypatch):
    asked = []

    def answer(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, stdout=TEXT)

    monkeypatch.setattr(subprocess, "run", answer)
    assert boot_identity(tmp_path / "none") == UUID(TEXT.strip()).bytes
    assert asked == [("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")]
