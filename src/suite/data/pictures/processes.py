"""How processes that read pictures out of a distant store are started.

fsspec keeps a thread and open connections in a process that has read from a store, and says itself that these bear no
fork: a forked worker that clears away its copy cuts off the connections of its parent, and a lock that the thread holds
at that moment is held in the worker for ever. So such workers come from a process that has read nothing.
"""

import multiprocessing
import os
import threading
from collections.abc import Iterable
from multiprocessing.context import BaseContext

from suite.data.catalog import Picture
from suite.data.sources.helpers.stores import is_distant
from suite.data.sources.shards import ShardPicture


def context_for(distant: bool) -> BaseContext | None:
    """What starts the workers; None: as Python does it here."""
    if not distant or "forkserver" not in multiprocessing.get_all_start_methods():
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["suite.data.pictures.preloaded"])
    return context


def end_with_parent() -> None:
    """Called in a worker: it ends when the process does that has asked for it, even one that is killed.

    PyTorch watches the process that a worker was forked from, and that one stays for as long as a worker does.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def any_distant(pictures: Iterable[Picture]) -> bool:
    """Whether any of the pictures lies in a distant store."""
    return any(isinstance(picture, ShardPicture) and is_distant(picture.shards.where) for picture in pictures)
