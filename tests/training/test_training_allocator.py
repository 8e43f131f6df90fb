"""Freed memory is kept: what is allocated again touches no new pages."""

import platform
import subprocess
import sys

import pytest

CODE = """
import ctypes, resource, sys
from face3d_training.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.memset.argtypes, libc.free.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], [ctypes.c_void_p]
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(40 * 2**20)
    libc.memset(block, 1, 40 * 2**20)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
first = faults()
print(first, max(faults() for _ in range(3)))
"""


def faults(mode):
    done = subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, text=True, check=True)
    return map(int, done.stdout.split())


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_is_touched_for_the_first_time_once_only():
    first, later = faults("keep")
    assert later < first / 10
    first, later = faults("default")
    assert later > first / 2


def test_another_c_library_is_left_as_it_is(monkeypatch):
    import ctypes

    from face3d_training.allocator import keep_freed_memory

    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory() is False
