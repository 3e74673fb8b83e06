"""The faults of the soak test. Each function causes one and waits until the affected outputs have come back."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping

from face_expr_ros.benchmarks.soak import services
from face_expr_ros.benchmarks.soak.images import CAMERA_INFOS, INVALID, VALID
from face_expr_ros.benchmarks.soak.stamps import STAMPS
from face_expr_ros.benchmarks.soak.world import CAMERAS, LATEST, OUTPUTS, World

RATES = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 200.0)  # Hz
_FAST = 200.0  # Hz, of the images during lifecycle transitions
_NAMED_FOR_RESTART = ("perception", "/room perception", "/room camera", "head_control", "avatar_bridge", "web_bridge",
                      "simulated head", "hri_bridge", "/front feed", "/rear feed")  # fmt: skip

Fault = Callable[[World, random.Random], None]


def stamps(world: World, rng: random.Random) -> None:
    """The stamps of a camera are irregular for a while."""
    _change_feed(world, rng, "stamps", "regular", rng.choice([kind for kind in STAMPS if kind != "regular"]))


def encoding(world: World, rng: random.Random) -> None:
    """A camera changes its encoding for a while."""
    _change_feed(world, rng, "image", "bgr8", rng.choice(list(VALID)))


def invalid_images(world: World, rng: random.Random) -> None:
    """A camera sends invalid images for a while."""
    _change_feed(world, rng, "image", "bgr8", rng.choice(list(INVALID)))


def camera_info(world: World, rng: random.Random) -> None:
    """The CameraInfo of a camera changes or is invalid for a while."""
    _change_feed(world, rng, "camera_info", "pinhole", rng.choice(list(CAMERA_INFOS)))


def rate(world: World, rng: random.Random) -> None:
    """A camera changes its rate for a while."""
    namespace, value = rng.choice(CAMERAS), rng.choice(RATES)
    world.records.fault("rate", camera=namespace, value=value)
    world.feed(namespace, rate=value)
    time.sleep(rng.uniform(1.0, 2.0 if value > 60 else 5.0))
    world.feed(namespace, rate=world.settings.rate)
    world.recovers("rate", "perception", since=time.monotonic())


def _change_feed(world: World, rng: random.Random, setting: str, usual: str, value: str) -> None:
    namespace, kind = rng.choice(CAMERAS), setting if value not in INVALID else "invalid images"
    world.records.fault(kind, camera=namespace, value=value)
    seconds = rng.uniform(2.0, 6.0)
    world.disturb(namespace, seconds=seconds)
    world.feed(namespace, **{setting: value})
    time.sleep(seconds)
    since = time.monotonic()
    world.disturb(namespace)
    world.feed(namespace, **{setting: usual})
    world.recovers(kind, "perception", since=since)


def parameters(world: World, rng: random.Random) -> None:
    """Valid and invalid parameters are set."""
    node = rng.choice([*services.PARAMETERS])
    name, value, is_valid = rng.choice(services.PARAMETERS[node])
    world.records.fault("parameters", node=node, name=name, value=str(value), valid=is_valid)
    services.set_parameter(world, node, name, value, is_valid)


def lifecycle(world: World, rng: random.Random) -> None:
    """Deactivate and activate, or clean up and configure as well, many times under load."""
    namespace, is_full = rng.choice(CAMERAS), rng.random() < 0.3
    pairs = rng.randint(1, 3) if is_full else rng.randint(5, 30)
    world.records.fault("lifecycle", camera=namespace, pairs=pairs, full=is_full)
    world.feed(namespace, rate=_FAST)
    for _ in range(pairs):
        world.disturb(namespace)
        services.cycle(world, f"{namespace}/perception", is_full)
    world.feed(namespace, rate=world.settings.rate)
    world.recovers("lifecycle", "perception", since=time.monotonic())


def inactive(world: World, rng: random.Random) -> None:
    """A node is inactive for long enough that other people may have come."""
    namespace = rng.choice(CAMERAS)
    world.records.fault("inactive", camera=namespace)
    world.disturb(namespace)
    services.deactivate(world, f"{namespace}/perception")
    services.check_that_services_fail(world, f"{namespace}/perception")
    time.sleep(rng.uniform(2.0, 10.0))
    world.disturb(namespace)
    services.activate(world, f"{namespace}/perception")
    world.recovers("inactive", "perception", since=time.monotonic())


def tracking_services(world: World, rng: random.Random) -> None:
    """Tracks are deleted, or neutral expressions are stored."""
    namespace, service = rng.choice(CAMERAS), rng.choice(["reset", "calibrate_neutral"])
    world.records.fault("tracking services", camera=namespace, service=service)
    world.disturb(namespace)
    services.trigger(world, f"{namespace}/perception/{service}")


def subscribers(world: World, rng: random.Random) -> None:
    """Subscribers of all outputs come and go."""
    namespace = rng.choice([*CAMERAS, "/room"])
    world.records.fault("subscribers", camera=namespace)
    chosen = rng.sample(sorted(OUTPUTS), rng.randint(1, 5))
    for topic in chosen:
        world.monitor.watch(topic, OUTPUTS[topic], f"{namespace}/{topic}", LATEST)
    time.sleep(rng.uniform(1.0, 4.0))
    for topic in chosen:
        world.monitor.unwatch(topic)


def kill(world: World, rng: random.Random) -> None:
    """A process is killed and started again."""
    name = rng.choice(_restartable(world))
    world.records.fault("kill -9", process=name)
    _disturb_for(world, name)
    world.processes[name].kill()
    time.sleep(rng.uniform(0.0, 3.0))
    since = time.monotonic()
    world.processes[name].start()
    world.recovers("kill -9", name, since=since)


def restart(world: World, rng: random.Random) -> None:
    """A process is asked to end, with status 0, and started again."""
    name, how = rng.choice(_restartable(world)), rng.choice([signal.SIGINT, signal.SIGTERM])
    world.records.fault("restart", process=name, signal=how.name)
    _disturb_for(world, name)
    world.processes[name].stop(how)
    since = time.monotonic()
    world.processes[name].start()
    world.recovers("restart", name, since=since)


def freeze(world: World, rng: random.Random) -> None:
    """A process stands still for a while, as on a machine that swaps."""
    name = rng.choice(_restartable(world))
    world.records.fault("freeze", process=name)
    _disturb_for(world, name)
    world.processes[name].send_signal(signal.SIGSTOP)
    time.sleep(rng.uniform(1.0, 6.0))
    since = time.monotonic()
    world.processes[name].send_signal(signal.SIGCONT)
    world.recovers("freeze", name, since=since)
    _disturb_for(world, name)


def guest(world: World, rng: random.Random) -> None:
    """A camera with its own perception node comes and goes."""
    namespace = f"/guest{world.records.faults['guest']}"
    world.records.fault("guest", camera=namespace)
    since = time.monotonic()
    world.monitor.watch_camera(namespace)
    feed = world.add_feed(namespace, rng.randrange(1 << 20))
    perception = world.add(f"{namespace} perception", "nodes.perception", "--ros-args", "-r", f"__ns:={namespace}")
    world.outputs[perception.name] = world.last(f"{namespace} faces")
    for process in (feed, perception):
        process.start()
    world.recovers("guest", perception.name, since=since)
    time.sleep(rng.uniform(5.0, 15.0))
    for process in (perception, feed):
        process.stop()
        world.records.take_problems({process.name: process})
        del world.processes[process.name]
    del world.outputs[perception.name]
    world.monitor.unwatch_camera(namespace)


def clock(world: World, rng: random.Random) -> None:
    """The clock of the simulation jumps or pauses."""
    jump = rng.choice([-5.0, -500.0, 0.3, 5.0, 3600.0, 0.0])
    world.records.fault("clock", jump=jump)
    if jump:
        world.sim_time.jump(jump)
    else:
        world.sim_time.is_paused = True
        time.sleep(rng.uniform(1.0, 5.0))
        world.sim_time.is_paused = False
    world.recovers("clock", "simulated head", since=time.monotonic())


def network(world: World, rng: random.Random) -> None:
    """The network to head_control and avatar_bridge loses and delays packets, or fails."""
    if world.link is None:
        return
    is_outage = rng.random() < 0.3
    world.link.loss = 1.0 if is_outage else rng.uniform(0.05, 0.5)
    world.link.delay = rng.uniform(0.0, 0.3)
    world.records.fault("network", loss=round(world.link.loss, 2), delay=round(world.link.delay, 2))
    time.sleep(rng.uniform(2.0, 10.0))
    since = time.monotonic()
    world.link.loss = world.link.delay = 0.0
    world.recovers("network", "head_control", "avatar_bridge", since=since)


def disk_full(world: World, rng: random.Random) -> None:
    """The disk with the logs is full for a while; files that cannot be written are reported."""
    if world.disk.problem:
        return
    world.records.fault("disk full")
    world.disk.fill()
    services.check_full_disk(world)
    invalid_images(world, rng)  # is logged
    world.disk.empty()
    world.recovers("disk full", "perception", "/room perception", since=time.monotonic())


def _restartable(world: World) -> list[str]:
    return [name for name in _NAMED_FOR_RESTART if name in world.processes]


def _disturb_for(world: World, name: str) -> None:
    if "perception" in name or "feed" in name:
        world.disturb()


FAULTS: Mapping[str, Fault] = {
    "stamps": stamps,
    "encoding": encoding,
    "invalid images": invalid_images,
    "camera_info": camera_info,
    "rate": rate,
    "parameters": parameters,
    "lifecycle": lifecycle,
    "inactive": inactive,
    "tracking services": tracking_services,
    "subscribers": subscribers,
    "freeze": freeze,
    "guest": guest,
    "clock": clock,
    "network": network,
    "disk full": disk_full,
    "kill -9": kill,
    "restart": restart,
}
ENDS_RUNS = ("kill -9", "restart")  # after these, memory is observed anew
