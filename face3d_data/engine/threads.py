"""Thread limit: one inner thread in every engine, so that the bytes do not depend on the machine's cores."""

from __future__ import annotations

import os
import sys
import threading
import time

VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}


def limit_threads() -> None:
    """Hold this process's numeric libraries, loaded or to come, to one thread each."""
    os.environ.update(VARIABLES)
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    # Another thread may be in the middle of the import: the variables above hold such a library to one thread.
    for library, function in (("torch", "set_num_threads"), ("cv2", "setNumThreads")):
        hold = getattr(sys.modules.get(library), function, None)
        if hold is not None:
            hold(1)


def follow_parent(parent: int) -> None:
    """Initialise a worker process: one thread, no Ctrl-C of its own, and an end when the driver is gone."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_threads()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
