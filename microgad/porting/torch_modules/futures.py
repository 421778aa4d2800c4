"""torch.futures: results that are available later, within one process."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent import futures
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Future(Generic[T]):
    """A result that is set once and can be waited for. Source: torch.futures.Future.

    >>> later = torch.futures.Future()
    >>> doubled = later.then(lambda it: 2 * it.wait())
    >>> later.set_result(3)
    >>> doubled.value()
    6
    """

    def __init__(self, *, devices: Any = None) -> None:
        self._future: futures.Future[T] = futures.Future()

    def done(self) -> bool:
        """Whether a result or an error is set."""
        return self._future.done()

    def wait(self) -> T:
        """Wait for the result and return it. Raises the error if one is set."""
        return self._future.result()

    def value(self) -> T:
        """Return the result. Raises RuntimeError if none is set yet."""
        if not self.done():
            raise RuntimeError("Future: there is no value yet; wait() for it")
        return self.wait()

    def set_result(self, result: T) -> None:
        """Set the result. Raises RuntimeError if a result or an error is already set."""
        self._end(self._future.set_result, result)

    def set_exception(self, result: BaseException) -> None:
        """Set an error instead of a result. Raises RuntimeError if a result or an error is already set."""
        assert isinstance(result, Exception), f"{result!r} is a {type(result).__name__}, not an Exception"
        self._end(self._future.set_exception, result)

    def _end(self, end: Callable[[Any], None], what: Any) -> None:
        try:
            end(what)
        except futures.InvalidStateError:
            raise RuntimeError("Future already marked complete") from None

    def add_done_callback(self, callback: Callable[[Future[T]], None]) -> None:
        """Call `callback` with this Future when it is done."""
        self._future.add_done_callback(lambda _: callback(self))

    def then(self, callback: Callable[[Future[T]], Any]) -> Future[Any]:
        """Return a Future of callback(self). An error in the callback becomes a RuntimeError with its message.

        >>> later = torch.futures.Future()
        >>> halved = later.then(lambda it: it.wait() / 0)
        >>> later.set_result(3)
        >>> halved.wait()
        Traceback (most recent call last):
        RuntimeError: Got the following error when running the callback: ZeroDivisionError: division by zero
        """
        after: Future[Any] = Future()

        def go_on(done: Future[T]) -> None:
            try:
                after.set_result(callback(done))
            except Exception as error:  # reported to those who wait
                message = f"Got the following error when running the callback: {type(error).__name__}: {error}"
                told = RuntimeError(message)
                told.__cause__ = error
                after.set_exception(told)

        self.add_done_callback(go_on)
        return after


def collect_all(futures: list[Future[Any]]) -> Future[list[Future[Any]]]:
    """Return a Future of the list of Futures, done when all of them are. Source: torch.futures.collect_all.

    Waiting for it raises the error of the first one that has one.
    """
    after: Future[list[Future[Any]]] = Future()
    done = itertools.count(1)

    def count(_: Future[Any]) -> None:
        if next(done) == len(futures):  # next is atomic: callbacks may run in several threads
            error = next(filter(None, (future._future.exception() for future in futures)), None)
            after.set_result(futures) if error is None else after.set_exception(error)

    for future in futures:
        future.add_done_callback(count)
    if not futures:
        after.set_result(futures)
    return after


def wait_all(futures: list[Future[Any]]) -> list[Any]:
    """Wait for all Futures and return their results, or raise the first error. Source: torch.futures.wait_all."""
    return [future.wait() for future in collect_all(futures).wait()]
