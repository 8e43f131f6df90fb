"""Lock of the cache: parts are merged only where nobody else holds places in them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from face3d_data.store.cache_lock import CacheLock

HOLD = """
import sys
from pathlib import Path
from face3d_data.store.cache_lock import CacheLock
lock = CacheLock(Path(sys.argv[1]))
lock.share(make=True)
if sys.argv[2] == "share":
    print("held", flush=True)
    sys.stdin.read()
else:
    with lock.alone() as alone:
        print(alone, flush=True)
        sys.stdin.read()
"""


def holder(folder, kind):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def alone(lock):
    with lock.alone() as found:
        return found


def test_one_that_shares_with_nobody_is_alone_again_and_again(tmp_path):
    lock = CacheLock(tmp_path / "cache")
    assert not alone(lock)  # it holds nothing yet
    lock.share(make=True)
    assert alone(lock)
    assert alone(lock)


def test_two_that_share_are_not_alone_and_still_share_afterwards(tmp_path):
    one, two = CacheLock(tmp_path), CacheLock(tmp_path)
    one.share(make=True)
    two.share(make=False)
    for _ in range(2):
        assert not alone(one)
        assert not alone(two)
    del two
    assert alone(one)


@pytest.mark.slow
def test_another_process_that_shares_keeps_merging_out_until_it_ends_or_is_killed(tmp_path):
    lock = CacheLock(tmp_path)
    lock.share(make=True)
    for end in (lambda process: process.stdin.close(), lambda process: process.kill()):
        process, said = holder(tmp_path, "share")
        assert said == "held"
        assert not alone(lock)
        end(process)
        process.wait(10)
        assert alone(lock)


@pytest.mark.slow
def test_who_begins_while_another_merges_waits(tmp_path):
    process, said = holder(tmp_path, "alone")
    assert said == "True"
    lock, ended = CacheLock(tmp_path), []
    waiting = threading.Thread(target=lambda: ended.append(lock.share(make=True)))
    waiting.start()
    time.sleep(0.2)
    assert ended == []
    process.stdin.close()
    waiting.join(10)
    assert ended == [None]
    process.wait(10)
    assert alone(lock)


def test_a_look_makes_no_file_and_a_folder_without_locks_is_never_merged(tmp_path, monkeypatch):
    lock = CacheLock(tmp_path)
    lock.share(make=False)
    assert os.listdir(tmp_path) == []
    assert not alone(lock)

    def no_locks(descriptor, kind):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    lock.share(make=True)
    assert not alone(lock)
