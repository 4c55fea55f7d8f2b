"""Run a module as `python -m` does, in a process that ends with its parent.

Usage: `python -m local.installation.process_guard MODULE …`.

Standard input is a pipe that the parent holds open and writes nothing to: it ends when the parent
does, however that dies. Unlike Linux's PR_SET_PDEATHSIG this is portable, outlives the thread that
started the process, and holds for what the module forks.
"""

import os
import runpy
import sys
import threading

ORPHANED_EXIT_CODE = 1
"""The exit code of a process whose parent is gone."""


def main() -> None:
    """Run the module that the arguments name, with the arguments behind it."""
    del sys.argv[0]
    os.register_at_fork(after_in_child=_watch_parent)
    _watch_parent()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _watch_parent() -> None:
    """Look out for the parent's end, beside whatever else this process does."""
    threading.Thread(target=_end_with_parent, name="tether", daemon=True).start()


def _end_with_parent() -> None:
    while os.read(0, 1):
        """What is written there means nothing."""
    os._exit(ORPHANED_EXIT_CODE)


if __name__ == "__main__":
    main()
