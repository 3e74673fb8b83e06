"""A network link to another network namespace, with loss and delay, between two TAP devices.

The kernel's netem does the same, but many container hosts lack it. Needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN) and
/dev/net/tun.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from pathlib import Path

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_CLONE_NEWNET = 0x40000000
_SUBNET = "10.231.77"
_MAX_WAITING = 20_000  # packets


class LinkError(RuntimeError):
    """The namespace or a device cannot be created; the text describes the reason."""


class ImpairedLink:
    """A network namespace that is connected to this one only by this link.

    Attributes:
        host, guest: addresses of this and the other namespace in the link.
        command: prefix of a command that runs in the other namespace.
        loss: share of the packets that are lost, 0..1; 1 is an outage.
        delay: seconds by which each packet is delayed, with 20 % of variation.
        forwarded, lost: numbers of packets.

    Raises:
        LinkError: permission or device is missing.
    """

    host, guest = f"{_SUBNET}.1", f"{_SUBNET}.2"

    def __init__(self, name: str, seed: int) -> None:
        self.loss = self.delay = 0.0
        self.forwarded = self.lost = 0
        self.command = ("ip", "netns", "exec", name)
        self._name, self._rng = name, random.Random(seed)
        self._done = False
        _run("ip", "netns", "add", name)
        try:
            self._devices = (_open_tap(f"{name[:10]}h"), _in_namespace(name, f"{name[:10]}g"))
            _configure((), f"{name[:10]}h", self.host)
            _configure(self.command, f"{name[:10]}g", self.guest)
            _run(*self.command, "ip", "link", "set", "lo", "up")
            _run(*self.command, "ip", "route", "add", "default", "via", self.host)
        except (LinkError, OSError) as error:
            _run("ip", "netns", "del", name)
            raise LinkError(str(error)) from error
        self._thread = threading.Thread(target=self._forward, name="link", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Remove the devices and the namespace, whose processes must have ended."""
        self._done = True
        self._thread.join()
        for device in self._devices:
            os.close(device)
        _run("ip", "netns", "del", self._name)

    def _forward(self) -> None:
        one, other = self._devices
        waiting: list[tuple[float, int, int, bytes]] = []
        count = 0
        while not self._done:
            timeout = 0.2 if not waiting else max(0.0, min(0.2, waiting[0][0] - time.monotonic()))
            for device in select.select([one, other], [], [], timeout)[0]:
                packet = os.read(device, 65536)
                if self._rng.random() < self.loss or len(waiting) >= _MAX_WAITING:
                    self.lost += 1
                    continue
                due = time.monotonic() + self.delay * self._rng.uniform(0.8, 1.2)
                count += 1
                heapq.heappush(waiting, (due, count, other if device == one else one, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, device, packet = heapq.heappop(waiting)
                os.write(device, packet)
                self.forwarded += 1


def _open_tap(device: str) -> int:
    try:
        file = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TAP | _IFF_NO_PI))
    except OSError as error:
        raise LinkError(f"/dev/net/tun: {error.strerror}") from error
    return file


def _in_namespace(name: str, device: str) -> int:
    """Open a TAP device in a namespace; the file stays valid in this one. Affects only a thread of its own."""
    result: list[int | Exception] = []

    def enter_and_open() -> None:
        try:
            with Path(f"/run/netns/{name}").open(encoding="ascii") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                    raise LinkError(f"setns: {os.strerror(ctypes.get_errno())}")
            result.append(_open_tap(device))
        except (LinkError, OSError) as error:
            result.append(error)

    thread = threading.Thread(target=enter_and_open)
    thread.start()
    thread.join()
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def _configure(prefix: tuple[str, ...], device: str, address: str) -> None:
    _run(*prefix, "ip", "addr", "add", f"{address}/24", "dev", device)
    _run(*prefix, "ip", "link", "set", device, "up", "multicast", "on")


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LinkError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise LinkError(f"{' '.join(command)}: {done.stderr.strip()}")
