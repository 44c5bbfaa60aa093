"""Marks that a stranger's image file carries of how it came to be: C2PA, IPTC's digital source type, makers' own.

Only whether a mark is there is told, by walking the parts of the file; no signature is checked, which is for a reader
of C2PA. Not Pillow's ``info`` and ``getexif``: they hold neither JUMBF boxes nor every text of a PNG.
"""

import contextlib
import re
import struct
import zlib
from collections.abc import Iterator

_SOURCE_TYPE = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{3,60})")
_OF_NO_DATA = "algorithmicMedia"  # drawn by a program that learned from nothing, as the phantoms that ship with this
# What programs that make pictures write of themselves, and names of the parts that they write it to.
_MAKERS = {
    "Stable Diffusion": rb"(?i)stable[ -]?diffusion|Steps: \d+, Sampler: ",
    "ComfyUI": rb"(?i)comfyui|\"class_type\": ?\"KSampler",
    "Midjourney": rb"(?i)midjourney",
    "DALL-E": rb"(?i)\bdall(?:-|\xc2?\xb7)e\b",
    "Firefly": rb"(?i)adobe firefly",
    "NovelAI": rb"(?i)novelai",
    "Imagen": rb"(?i)made with google ai",
}
_AI_SYSTEM = re.compile(rb"Iptc4xmpExt:AISystemUsed")
_LONGEST = 1024 * 1024  # bytes of one part that are looked at, or unpacked
_MOST = 8 * _LONGEST  # bytes of all parts of a file; what programs write is some kilobytes at its beginning


def marks(content: bytes) -> tuple[str, ...]:
    """The marks of a file's bytes, sorted: ``c2pa``, ``iptc:TYPE``, ``ai:MAKER``; none of one that is no image."""
    found = set[str]()
    for part in _parts(content):
        if part.startswith(b"C2PA") or (b"jumb" in part[:64] and b"c2pa" in part):
            found.add("c2pa")
        types = {one.decode() for one in _SOURCE_TYPE.findall(part)} - {_OF_NO_DATA}
        found |= {f"iptc:{one}" for one in types}
        found |= {f"ai:{name}" for name, pattern in _MAKERS.items() if re.search(pattern, part)}
        if _AI_SYSTEM.search(part):
            found.add("iptc:AISystemUsed")
    return tuple(sorted(found))


def _parts(content: bytes) -> Iterator[bytes]:
    """What a file says beside its pixels, a part after another."""
    walk = next((walk for begin, walk in _WALKS.items() if content.startswith(begin)), None)
    left = _MOST
    for part in walk(content) if walk else ():
        yield part[: min(left, _LONGEST)]
        left -= min(len(part), _LONGEST)
        if left <= 0:
            return


def _jpeg(content: bytes) -> Iterator[bytes]:
    """The segments before the picture: APP1 (EXIF, XMP), APP11 (JUMBF), APP13 (IPTC) and comments."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker, size = content[at + 1], struct.unpack(">H", content[at + 2 : at + 4])[0]
        if marker == 0xDA or size < 2:
            return
        if marker in (0xE1, 0xEB, 0xED, 0xFE):
            yield content[at + 4 : at + 2 + size]
        at += 2 + size


def _png(content: bytes) -> Iterator[bytes]:
    """The chunks of text, EXIF and C2PA."""
    at = 8
    while at + 12 <= len(content):
        size, name = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + size]
        if name == b"caBX":
            yield b"C2PA"
        elif name in (b"tEXt", b"eXIf"):
            yield body
        elif name in (b"iTXt", b"zTXt"):
            yield body
            packed = body.partition(b"\0")[2].lstrip(b"\0\1")
            with contextlib.suppress(zlib.error):
                yield zlib.decompressobj().decompress(packed, _LONGEST)
        at += 12 + size


def _webp(content: bytes) -> Iterator[bytes]:
    """The chunks EXIF, XMP and C2PA."""
    at = 12
    while at + 8 <= len(content):
        name, size = struct.unpack("<4sI", content[at : at + 8])
        if name == b"C2PA":
            yield b"C2PA"
        elif name in (b"EXIF", b"XMP "):
            yield content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


_WALKS = {b"\xff\xd8\xff": _jpeg, b"\x89PNG\r\n\x1a\n": _png, b"RIFF": _webp}
