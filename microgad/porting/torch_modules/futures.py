"""torch.futures: a result that comes later, in one process."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent import futures
from typing import Any, Generic, TypeVar

from ...lazy import define_getattr as _define_getattr

T = TypeVar("T")


class Future(Generic[T]):
    """A result that is set once, by whoever has it, and waited for. Source: torch.futures.Future.

    >>> later = torch.futures.Future()
    >>> doubled = later.then(lambda it: 2 * it.wait())
    >>> later.set_result(3)
    >>> doubled.value()
    6
    """

    def __init__(self, *, devices: Any = None) -> None:
        self._future: futures.Future[T] = futures.Future()

    def done(self) -> bool:
        """Whether there is a result, or an error."""
        return self._future.done()

    def wait(self) -> T:
        """The result, as soon as it is there. Raises the error that was set."""
        return self._future.result()

    def value(self) -> T:
        """The result. Raises RuntimeError where there is none yet."""
        if not self.done():
            raise RuntimeError("Future: there is no value yet; wait() for it")
        return self.wait()

    def set_result(self, result: T) -> None:
        """Set the result. Raises RuntimeError where there is one, or an error."""
        self._end(self._future.set_result, result)

    def set_exception(self, result: BaseException) -> None:
        """Set an error in the result's place. Raises RuntimeError where there is a result, or an error."""
        assert isinstance(result, Exception), f"{result!r} is a {type(result).__name__}, not an Exception"
        self._end(self._future.set_exception, result)

    def _end(self, end: Callable[[Any], None], what: Any) -> None:
        try:
            end(what)
        except futures.InvalidStateError:
            raise RuntimeError("Future already marked complete") from None

    def add_done_callback(self, callback: Callable[[Future[T]], None]) -> None:
        """Call with this Future when it is done."""
        self._future.add_done_callback(lambda _: callback(self))

    def then(self, callback: Callable[[Future[T]], Any]) -> Future[Any]:
        """A Future of callback(this one). What the callback raises comes out of it as a RuntimeError that tells of it.

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
            except Exception as error:  # whoever waits for it is told
                said = f"Got the following error when running the callback: {type(error).__name__}: {error}"
                told = RuntimeError(said)
                told.__cause__ = error
                after.set_exception(told)

        self.add_done_callback(go_on)
        return after


def collect_all(futures: list[Future[Any]]) -> Future[list[Future[Any]]]:
    """A Future of all of them, done. Source: torch.futures.collect_all."""
    after: Future[list[Future[Any]]] = Future()
    done = itertools.count(1)

    def count(_: Future[Any]) -> None:
        if next(done) == len(futures):  # at once: they may come from several threads
            after.set_result(futures)

    for future in futures:
        future.add_done_callback(count)
    if not futures:
        after.set_result(futures)
    return after


def wait_all(futures: list[Future[Any]]) -> list[Any]:
    """The results of all. Source: torch.futures.wait_all."""
    return [future.wait() for future in futures]


_define_getattr(globals())
