"""Ends requests that take too long, or that nobody waits for any more, whatever they are waiting for.

httpx bounds each read and not all of them together, so a host that drips its headers is waited for for hours. Here the
sockets of a request are shut down from outside, which ends a read at once.
"""

import ipaddress
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.request import getproxies
from weakref import WeakSet

from synthgen.real.fetch.errors import RefusedError

_LOOK_SECONDS = 0.2


class Request:
    """A request that is under way.

    Attributes:
        expired: Whether it was ended since it took too long.
    """

    def __init__(self, host: str, until: float, sockets: "WeakSet[socket.socket]", *, proxied: bool) -> None:
        self.host, self.until, self.expired = host, until, False
        self._sockets, self._proxied = sockets, proxied
        self._asked = ""

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Httpcore's account of what it does: connections as they are made.

        Raises:
            RefusedError: It is led to a place that no stranger's address leads to.
        """
        if event == "connection.connect_tcp.started":
            self._asked = str(info["host"])
        elif event == "connection.connect_tcp.complete":
            sock = info["return_value"].get_extra_info("socket")
            if sock is not None:
                self._sockets.add(sock)
                if not self._proxied and _is_off_limits(sock, redirected=self._asked != self.host):
                    sock.close()
                    raise RefusedError(f"leads to {self._asked}, which is this machine or its network")
        elif event == "connection.start_tls.complete":
            sock = info["return_value"].get_extra_info("socket")
            if sock is not None:
                self._sockets.add(sock)


class Deadlines:
    """Watches over the requests of several threads.

    Args:
        seconds: How long each may take in all.
        stop: Whether nobody waits any more.
    """

    def __init__(self, seconds: float, stop: Callable[[], bool]) -> None:
        self._seconds, self._stop = seconds, stop
        self._lock = threading.Lock()
        self._requests = set[Request]()
        self._sockets = defaultdict[str, WeakSet[socket.socket]](WeakSet)  # of a host, which may be used again
        self._proxied = bool(getproxies())
        self._watching = False

    @contextmanager
    def request(self, host: str) -> Iterator[Request]:
        """A request to a host, ended when its time is over or nobody waits any more."""
        with self._lock:
            one = Request(host, time.monotonic() + self._seconds, self._sockets[host], proxied=self._proxied)
            self._requests.add(one)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="fetch deadlines", daemon=True).start()
        try:
            yield one
        finally:
            with self._lock:
                self._requests.discard(one)

    def _watch(self) -> None:
        """Look at every request again and again; ends once there is none."""
        while True:
            time.sleep(_LOOK_SECONDS)
            stopped = self._stop()
            with self._lock:
                now = time.monotonic()
                over = {one for one in self._requests if now > one.until}
                for one in over:
                    one.expired = True
                hosts = {one.host for one in (self._requests if stopped else over)}
                found = [sock for host in hosts for sock in self._sockets[host]]
                self._watching = bool(self._requests)
                if not self._watching:
                    return
            for sock in found:
                with suppress(OSError):  # closed by now
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _is_off_limits(sock: socket.socket, *, redirected: bool) -> bool:
    """Whether a host's address is of no network, or a redirect has led to this machine or to its own network."""
    try:
        address = ipaddress.ip_address(str(sock.getpeername()[0]).partition("%")[0])
    except (OSError, ValueError):
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or (redirected and not address.is_global)
