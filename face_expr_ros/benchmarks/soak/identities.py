"""Check of the ids of faces against the persons who really stand in front of the camera."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_MAX_IMAGES = 6000  # images whose persons are stored: 30 s at 200 Hz
# Seconds between two results with the same face, by their arrival and by the stamps of their images, within which its
# id must not change; tracker.lost_track_timeout is 1. Results that have waited for a busy subscriber arrive together.
_CONTINUOUS = 0.8
_SETTLED = 5.0  # seconds after a disturbance from which on ids must not change


@dataclass(frozen=True)
class FaceSighting:
    """A face of a result: its id and its place in the image."""

    id: str
    place: int


@dataclass(frozen=True)
class _Seen:
    id: str
    time: float
    stamp_ns: int


class Identities:
    """Checks the ids of one camera. Times are seconds of a monotonic clock.

    An id must have the prefix of the camera, belong to one person only, for ever, and must not occur twice in a result.
    A person who stays in view keeps the id, unless something disturbed the node or the camera.

    Args:
        prefix: of all ids.

    Attributes:
        wrong: a sentence for each wrong id.
        persons: number of different ids seen.
        changes: number of times that a person in view received a new id, with or without a disturbance.
    """

    def __init__(self, prefix: str) -> None:
        self.wrong: list[str] = []
        self.changes = 0
        self._prefix = prefix
        self._images: OrderedDict[int, Mapping[int, str] | None] = OrderedDict()
        self._owners: dict[str, str] = {}
        self._seen: dict[str, _Seen] = {}
        self._disturbed = 0.0
        self._taken = 0  # number of wrong ids returned by take_new

    @property
    def count(self) -> int:
        """Number of different ids."""
        return len(self._owners)

    def take_new(self) -> list[str]:
        """The sentences in `wrong` since the last call."""
        new = self.wrong[self._taken :]
        self._taken += len(new)
        return new

    def add_image(self, stamp_ns: int, persons: Mapping[int, str]) -> None:
        """Store the persons at each place of an image; a stamp that is used again identifies no image."""
        self._images[stamp_ns] = None if self._images.get(stamp_ns, persons) != persons else persons
        self._images.move_to_end(stamp_ns)
        while len(self._images) > _MAX_IMAGES:
            self._images.popitem(last=False)

    def has_image(self, stamp_ns: int) -> bool:
        """Whether an image with this stamp was published lately."""
        return stamp_ns in self._images

    def latest_images(self) -> str:
        """How many images are stored, and the stamps of the latest, for a message."""
        return f"{len(self._images)} images are known, the latest are {list(self._images)[-3:]}"

    def disturb(self, until: float) -> None:
        """Until a time, and a little longer, persons may receive new ids."""
        self._disturbed = max(self._disturbed, until)

    def check(self, stamp_ns: int, faces: Sequence[FaceSighting], now: float) -> None:
        """Check the faces of one result, which was received at a time."""
        ids = [face.id for face in faces]
        if len(set(ids)) < len(ids):
            self.wrong.append(f"an id occurs twice in one result: {', '.join(ids)}")
        for face in faces:
            if not face.id.startswith(f"{self._prefix}f"):
                self.wrong.append(f"expected an id that begins with {self._prefix}f, got {face.id}")
        persons = self._images.get(stamp_ns)
        for face in faces:
            person = None if persons is None else persons.get(face.place)
            if person is not None:
                self._check_person(face.id, person, _Seen(face.id, now, stamp_ns))

    def _check_person(self, face_id: str, person: str, seen: _Seen) -> None:
        owner = self._owners.setdefault(face_id, person)
        if owner != person:
            self.wrong.append(f"{face_id} was the id of person {owner} and is now that of person {person}")
            self._owners[face_id] = person
        last = self._seen.get(person)
        self._seen[person] = seen
        if last is None or last.id == face_id or seen.time - last.time > _CONTINUOUS:
            return
        self.changes += 1
        gap = abs(seen.stamp_ns - last.stamp_ns) * 1e-9
        if gap <= _CONTINUOUS and seen.time - self._disturbed > _SETTLED:
            self.wrong.append(
                f"person {person}, who stayed in view, was {last.id} and is now {face_id}; the results are "
                f"{seen.time - last.time:.2f} s and their images {gap:.2f} s apart, the last fault was "
                f"{seen.time - self._disturbed:.1f} s before"
            )
