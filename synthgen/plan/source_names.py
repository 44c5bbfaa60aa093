"""Names of real images and of their groups: which of them are nobody's, and the pseudonyms that stand for the others.

A pseudonym is the beginning of an HMAC-SHA256 (RFC 2104) of the name, keyed by a salt that a run keeps: the same name
has the same one in all that is packed of that run, and without the salt no guess at a name
can be tested by it.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from synthgen.errors import DamagedError
from synthgen.plan.real_index import Source
from synthgen.plan.sample import Record

# How drawn images are named: their folder, label, tone and number, and which of several of one name.
_COUNTED = re.compile(r"(?:images-)?([a-z0-9]+(?:-[a-z0-9]+)*)-[1-6]-(\d{7})(?:-\d{1,2})?")
_PSEUDONYM = re.compile(r"(?:source|group)-[0-9a-f]{16}")
_IMAGE, _GROUP = "source", "group"
_DIGITS = 16


def is_counted(name: str, names: int, labels: Collection[str]) -> bool:
    """Whether a name says a label, a tone and a running number alone, as `synthgen phantom` gives, so is nobody's.

    Args:
        name: The name of an image or a group, or where it lies.
        names: How many there are, which a running number stays below.
        labels: The labels of the manifest.
    """
    match = _COUNTED.fullmatch(Path(name).stem)
    return match is not None and match[1] in labels and int(match[2]) < max(names, 1)


def is_pseudonym(name: str) -> bool:
    """Whether a name has the form of a pseudonym."""
    return _PSEUDONYM.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class SourceNames:
    """What there is of real images in a run, as far as it decides whose their names are.

    Attributes:
        labels: The labels of the manifest.
        images: How many images have a name.
        groups: How many groups have one.
    """

    labels: frozenset[str]
    images: int
    groups: int

    def is_nobody(self, image: str = "", group: str = "") -> bool:
        """Whether an image's and a group's name are nobody's; an empty one is."""
        counted = not image or is_counted(image, self.images, self.labels)
        return counted and (not group or is_counted(group, self.groups, self.labels))


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The names that stand in a dataset for those of real images and groups.

    Attributes:
        salt: The key that they are made with, in hex: who has it can test a guess at a name.
        names: Which names are nobody's, and stay.
    """

    salt: str
    names: SourceNames

    @property
    def mark(self) -> str:
        """What says of two datasets that their pseudonyms are of one salt, and nothing of the salt."""
        return mark_of(self.salt)

    def image(self, name: str) -> str:
        """What an image of that name is called; empty for none."""
        return name if self.names.is_nobody(image=name) else f"{_IMAGE}-{self._hashed(_IMAGE, name)}"

    def group(self, name: str) -> str:
        """What a group of that name is called; empty for none."""
        return name if self.names.is_nobody(group=name) else f"{_GROUP}-{self._hashed(_GROUP, name)}"

    def source(self, source: Source) -> Source:
        """A real image without all that leads to its file: its names, where it and its mask lie, their sha256.

        Of one that has a mask, the name that it has from now on stands in its place: masks are drawn among those. What
        is said of an image stays where images may be made from it, whose prompts and records say it too.
        """
        image, group = self.image(source.id), self.group(source.group)
        mask = image if source.mask else ""
        shown = replace(source, id=image, group=group, location="", mask=mask, sha256="", mask_sha256="")
        return shown if source.split == "train" and not source.fault else replace(shown, caption="", attributes="")

    def record(self, record: Record) -> Record:
        """A record under pseudonyms; its seed is 0 where it follows from a name that is one, by which it could be told.

        Raises:
            DamagedError: Its key has the name in a place that no key has it in.
        """
        image, group = self.image(record.source_id), self.group(record.source_group)
        found = replace(record, source_id=image, source_group=group)
        if image == record.source_id:
            return found
        before = record.key.removeprefix(f"{record.entry}-")
        after = f"{image}{before.removeprefix(record.source_id)}"
        if before == record.key or not before.startswith(f"{record.source_id}-"):
            if record.source_id in record.key:
                raise DamagedError(f"{record.key}: not the key of an image made from {record.source_id}")
            return found
        attributes = record.attributes
        said = json.loads(attributes)
        if parent := said.get("from"):
            if not parent.endswith(f"-{before}"):
                raise DamagedError(f"{record.key}: not the key of an image made from {parent}")
            said["from"] = f"{parent.removesuffix(before)}{after}"
            attributes = json.dumps(said, ensure_ascii=False, sort_keys=True)
        return replace(found, key=f"{record.entry}-{after}", attributes=attributes, seed=0)

    def _hashed(self, what: str, name: str) -> str:
        return _hashed(self.salt, what, name)


def mark_of(salt: str) -> str:
    """The :attr:`Pseudonyms.mark` of a salt."""
    return _hashed(salt, "salt", "")


def _hashed(salt: str, what: str, name: str) -> str:
    message = f"{what}\0{name}".encode("utf-8", "surrogatepass")
    return hmac.new(bytes.fromhex(salt), message, hashlib.sha256).hexdigest()[:_DIGITS]
