"""A sender thread for one target: sends packets at a constant rate; network errors do not stop it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from face_expr_ros.retargeting import ifacialmocap, live_link, openseeface, vmc
from face_expr_ros.retargeting.avatar_config import TargetConfig
from face_expr_ros.retargeting.avatar_stream import AvatarState, AvatarStream

Address = tuple[str, int]

RESOLVE_INTERVAL = 5.0  # seconds between attempts to resolve a host name
CLOSE_TIMEOUT = 2.0  # seconds to wait for the thread
MAX_HELLO_SIZE = 256  # bytes
MAX_HELLOS = 64  # datagrams read before each packet, so that a flood does not stop the sending


@dataclass
class SenderStats:
    """Counts of sent and failed datagrams, and the last error."""

    sent: int = 0
    failed: int = 0
    last_error: str = ""


def packets(target: TargetConfig, avatar: AvatarState, seconds: float) -> list[bytes]:
    """Datagrams for one time in the target's protocol; may be empty.

    Raises:
        ValueError: the face has no ARKit blendshapes.
    """
    state = avatar.state
    if target.protocol == "vmc":
        return vmc.encode(state, seconds=seconds, tracked=avatar.tracked, config=target.vmc)
    if target.protocol == "live_link":
        return [live_link.encode(state, seconds=seconds, rate=max(1, round(target.rate)), config=target.live_link)]
    if target.protocol == "ifacialmocap":
        return [ifacialmocap.encode(state)]
    packet = openseeface.encode(state, seconds=seconds, config=target.openseeface) if avatar.tracked else b""
    return [packet] if packet else []


class Sender:
    """Sends until it is closed.

    Args:
        target: receiver, protocol and rate.
        stream: state of the avatar.
        report: called with a message for each error; may be called at the sending rate.
        clock: seconds, the same clock as the stream's.

    Raises:
        OSError: the port for the receiver's start message is in use.
    """

    def __init__(
        self,
        target: TargetConfig,
        stream: AvatarStream,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.stats = SenderStats()
        self._stream, self._report, self._clock = stream, report, clock
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._waits_for_hello = target.protocol == "ifacialmocap" and target.ifacialmocap.wait_for_hello
        if self._waits_for_hello:
            try:
                self._socket.bind(("", target.port_number))
            except OSError:
                self._socket.close()
                raise
        self._address: Address | None = None
        self._next_resolve = 0.0
        self._separator = "-"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=target.label, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread; may be called twice.

        A thread that still waits for a name server is not joined; it ends with the process.
        """
        self._closed.set()
        self._thread.join(CLOSE_TIMEOUT)
        self._socket.close()

    def _run(self) -> None:
        start = self._clock()
        period, count = 1.0 / self.target.rate, 0
        while not self._closed.is_set():
            now = self._clock()
            self._tick(now, now - start)
            # Times are multiples of the period, so that the rate does not drift; late ticks are skipped.
            count = max(count + 1, int((self._clock() - start) / period))
            self._closed.wait(max(0.0, start + count * period - self._clock()))

    def _tick(self, now: float, seconds: float) -> None:
        try:
            self._receive_hellos()
            address = self._resolve(now)
            if address is not None:
                self._send(address, now, seconds)
        except Exception as error:  # any error: the next packet may succeed
            self.stats.failed += 1
            self.stats.last_error = f"{self.target.label}: {error}"
            self._report(f"cannot send to {self.stats.last_error}")

    def _send(self, address: Address, now: float, seconds: float) -> None:
        for packet in self._packets(self._stream.at(now), seconds):
            self._socket.sendto(packet, address)
            self.stats.sent += 1

    def _packets(self, avatar: AvatarState, seconds: float) -> list[bytes]:
        if self._waits_for_hello:
            return [ifacialmocap.encode(avatar.state, separator=self._separator)]
        return packets(self.target, avatar, seconds)

    def _resolve(self, now: float) -> Address | None:
        """The receiver's address; a failed name lookup is repeated after RESOLVE_INTERVAL."""
        if self._address is None and not self._waits_for_hello and now >= self._next_resolve:
            self._next_resolve = now + RESOLVE_INTERVAL
            addresses = socket.getaddrinfo(self.target.host, self.target.port_number, socket.AF_INET, socket.SOCK_DGRAM)
            host, port = addresses[0][4][:2]
            self._address = str(host), int(port)
        return self._address

    def _receive_hellos(self) -> None:
        """Read the receivers' start messages; the latest receiver is sent to."""
        for _ in range(MAX_HELLOS if self._waits_for_hello else 0):
            try:
                data, (host, _port) = self._socket.recvfrom(MAX_HELLO_SIZE)
            except BlockingIOError:
                return
            if data.startswith(ifacialmocap.HELLO):
                second_version = data[len(ifacialmocap.HELLO) :].startswith(ifacialmocap.SECOND_VERSION)
                self._separator = "&" if second_version else "-"
                self._address = host, self.target.ifacialmocap.reply_port
