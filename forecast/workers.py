"""Where the tasks of a grid are worked on: here, in processes, or on a Dask cluster.

A task is a function of picklable arguments whose result depends on them alone, so it does not
matter where it ran, in what order, or whether it ran again because its worker was lost.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from indicators.errors import TocsinError

__all__ = ["LOCAL", "ClusterError", "work"]

LOCAL = "local"
RETRIES = 3
"""Times that a task may be given to another worker after its own was lost."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ClusterError(TocsinError, RuntimeError):
    """A process that died, or a Dask cluster that is not there or lost too many workers."""

    exit_code = 5


def work[T](
    task: Callable[..., T],
    waiting: Sequence[tuple[Any, ...]],
    *,
    workers: int,
    scheduler: str | None = None,
) -> Generator[T]:
    """Yield the results of a task for each of its arguments, as they come.

    Where it is closed before its end, tasks that have not begun are not done.

    Parameters
    ----------
    task : callable
        A function of a module.
    waiting : sequence of tuple
        Its arguments.
    workers : int
        Processes; of a cluster elsewhere, as many as it has.
    scheduler : str or None
        None: processes of this machine. ``local``: a Dask cluster started here. Else the address
        of one, such as ``tcp://10.0.0.5:8786``, whose workers have the same tocsin and data.

    Raises
    ------
    ClusterError
        A process of this machine died; ``distributed`` is not installed, nothing answers at the
        address, or a task lost its worker more than `RETRIES` times.
    """
    if scheduler is not None:
        yield from _dask(task, waiting, workers, scheduler)
        return
    if workers <= 1 or len(waiting) <= 1:
        yield from (task(*arguments) for arguments in waiting)
        return
    yield from _processes(task, waiting, workers)


def _processes[T](
    task: Callable[..., T], waiting: Sequence[tuple[Any, ...]], workers: int
) -> Iterator[T]:
    # spawn: a forked process would inherit the threads of the numerical libraries
    context = multiprocessing.get_context("spawn")
    with _single_threaded():
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_with_parent)
        try:
            for future in as_completed([pool.submit(task, *arguments) for arguments in waiting]):
                yield future.result()
        except BrokenProcessPool as error:
            raise ClusterError(
                "a process died while it worked",
                place="--workers",
                found="a process ended by the system, often for want of memory",
                allowed=f"{workers} processes that stay",
                remedy="use fewer --workers; what is finished is kept, a second run goes on.",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_with_parent() -> None:
    """End this process when the one that started it has ended, killed or not.

    It would wait for work for ever, and hold its memory: nobody else can end the queue.
    """
    parent = multiprocessing.parent_process()

    def leave() -> None:
        assert parent is not None  # noqa: S101 (this process was started by one)
        parent.join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


class _single_threaded:  # noqa: N801 (a context manager that reads as a function)
    """Processes started inside have one thread each for linear algebra: more would wait."""

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in _THREADS}
        for name in _THREADS:
            os.environ.setdefault(name, "1")

    def __exit__(self, *what: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _dask[T](
    task: Callable[..., T], waiting: Sequence[tuple[Any, ...]], workers: int, scheduler: str
) -> Iterator[T]:
    distributed = _distributed()
    with _client(distributed, workers, scheduler) as client:
        futures = [client.submit(task, *a, pure=False, retries=RETRIES) for a in waiting]
        try:
            for future in distributed.as_completed(futures):
                yield future.result()
        except distributed.KilledWorker as error:
            raise ClusterError(
                "a task lost its worker too often",
                place=scheduler,
                found=str(error),
                remedy="give workers more memory; what is finished is kept, a second run goes on.",
            ) from error
        finally:
            client.cancel(futures)


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ClusterError(
            "a Dask cluster needs its package",
            place="--scheduler",
            found="no distributed",
            remedy="install tocsin[dask], or leave --scheduler out: --workers needs nothing.",
        ) from error
    return distributed


class _client:  # noqa: N801 (a context manager that reads as a function)
    """A client of a cluster: one started here and stopped again, or one elsewhere."""

    def __init__(self, distributed: Any, workers: int, scheduler: str) -> None:
        self._cluster = None
        place: Any = scheduler
        if scheduler == LOCAL:
            with _single_threaded():
                self._cluster = place = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
                )
        try:
            self._client = distributed.Client(place, timeout="20s")
        except (OSError, ValueError) as error:
            raise ClusterError(
                "no Dask scheduler answers",
                place="--scheduler",
                found=f"{scheduler}: {error}",
                allowed="local, or the address of a running scheduler, such as tcp://HOST:8786",
            ) from error

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *what: object) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
