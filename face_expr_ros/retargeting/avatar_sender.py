"""One target: a thread that sends its avatar's packets at a steady rate, whatever the network says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from face_expr_ros.retargeting import ifacialmocap, live_link, openseeface, vmc
from face_expr_ros.retargeting.avatar_config import TargetConfig
from face_expr_ros.retargeting.avatar_stream import AvatarStream, Shown

Address = tuple[str, int]

RESOLVE_AGAIN = 5.0  # seconds until a name that could not be resolved is tried again
CLOSE_TIMEOUT = 2.0  # seconds that a thread has to end
HELLO_SIZE = 256  # bytes; longer ones are no hello
MOST_HELLOS = 64  # datagrams that are read before a packet is sent, which a flood of them must not prevent


@dataclass
class Tally:
    """What a sender did: datagrams that went out and that did not, and why the last one did not."""

    sent: int = 0
    failed: int = 0
    last_error: str = ""


def packets(target: TargetConfig, shown: Shown, seconds: float) -> list[bytes]:
    """The datagrams of one moment in the target's protocol; none where it has nothing to say.

    Raises:
        ValueError: the face lacks ARKit's blendshapes.
    """
    state = shown.state
    if target.protocol == "vmc":
        return vmc.encode(state, seconds=seconds, tracked=shown.tracked, config=target.vmc)
    if target.protocol == "live_link":
        return [live_link.encode(state, seconds=seconds, rate=max(1, round(target.rate)), config=target.live_link)]
    if target.protocol == "ifacialmocap":
        return [ifacialmocap.encode(state)]
    packet = openseeface.encode(state, seconds=seconds, config=target.openseeface) if shown.tracked else b""
    return [packet] if packet else []


class Sender:
    """Sends until it is closed.

    Args:
        target: where to, what and how often.
        stream: what the avatar shows.
        report: called with a sentence when something could not be sent; it may be called often.
        clock: seconds, as the stream's.

    Raises:
        OSError: the port at which a hello is waited for is not free.
    """

    def __init__(
        self,
        target: TargetConfig,
        stream: AvatarStream,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.tally = Tally()
        self._stream, self._report, self._clock = stream, report, clock
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._waits = target.protocol == "ifacialmocap" and target.ifacialmocap.wait_for_hello
        if self._waits:
            try:
                self._socket.bind(("", target.port_number))
            except OSError:
                self._socket.close()
                raise
        self._address: Address | None = None
        self._ask_again = 0.0
        self._separator = "-"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=target.label, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; safe to call twice.

        Nobody waits for a name server that does not answer: that thread ends with the process.
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
            # Counted from the start, so that the rate does not drift; ticks that were missed are left out.
            count = max(count + 1, int((self._clock() - start) / period))
            self._closed.wait(max(0.0, start + count * period - self._clock()))

    def _tick(self, now: float, seconds: float) -> None:
        try:
            self._listen()
            address = self._find(now)
            if address is not None:
                self._send(address, now, seconds)
        except Exception as error:  # whatever it is, the next packet may go out
            self.tally.failed += 1
            self.tally.last_error = f"{self.target.label}: {error}"
            self._report(f"not sent to {self.tally.last_error}")

    def _send(self, address: Address, now: float, seconds: float) -> None:
        for packet in self._packets(self._stream.at(now), seconds):
            self._socket.sendto(packet, address)
            self.tally.sent += 1

    def _packets(self, shown: Shown, seconds: float) -> list[bytes]:
        if self._waits:
            return [ifacialmocap.encode(shown.state, separator=self._separator)]
        return packets(self.target, shown, seconds)

    def _find(self, now: float) -> Address | None:
        """The receiver's address; a name that is not known is asked for again after a while."""
        if self._address is None and not self._waits and now >= self._ask_again:
            self._ask_again = now + RESOLVE_AGAIN
            found = socket.getaddrinfo(self.target.host, self.target.port_number, socket.AF_INET, socket.SOCK_DGRAM)
            host, port = found[0][4][:2]
            self._address = str(host), int(port)
        return self._address

    def _listen(self) -> None:
        """Take the newest hello, where one is waited for."""
        for _ in range(MOST_HELLOS if self._waits else 0):
            try:
                data, (host, _port) = self._socket.recvfrom(HELLO_SIZE)
            except BlockingIOError:
                return
            if data.startswith(ifacialmocap.HELLO):
                second = data[len(ifacialmocap.HELLO) :].startswith(ifacialmocap.SECOND_VERSION)
                self._separator = "&" if second else "-"
                self._address = host, self.target.ifacialmocap.reply_port
