"""The kind of a file by its first bytes, in a word for people: for what was called an image and is none.

Not puremagic or filetype: nothing is decided by the answer, it only makes a message better, and what people really put
among images (Git LFS pointers, HTML of a server's refusal, files of zero bytes) is what those do not tell.
"""

import re

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\x01\0", "icon"),
    (b"\x1aE\xdf\xa3", "Matroska video"),
    (b"P5\n", "Netpbm"),
    (b"P6\n", "Netpbm"),
)
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"avif": "AVIF", b"avis": "AVIF"}
_MARKUP = (("<svg", "SVG"), ("<html", "HTML"), ("<!doctype html", "HTML"), ("<?xml", "XML"))
_HEAD = 4096
_POINTERS = (
    (re.compile(r"version https://git-lfs"), "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
    (re.compile(r"\S*/annex/objects/\S+"), "a git-annex pointer; fetch the file itself with `git annex get`"),
    (re.compile(r"outs:\n- (md5|hash|etag|size|path|nfiles):"), "a DVC pointer; fetch the file itself with `dvc pull`"),
)
READABLE = ("JPEG", "PNG", "WebP", "TIFF", "BigTIFF", "BMP", "GIF")
OTHER_IMAGES = ("HEIC", "HEIF", "AVIF", "JPEG 2000", "Photoshop", "DICOM", "SVG", "Netpbm")


def kind(content: bytes) -> str:
    """The kind of some bytes: ``JPEG``, ``HTML``, ``ZIP`` ...; ``text`` for other text, and empty where unknown."""
    if content and not content.strip(b"\0"):
        return "only zero bytes"
    if content[:4] == b"RIFF":
        return "WebP" if content[8:12] == b"WEBP" else "RIFF (sound or video)"
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "MP4 (video)")
    if content[128:132] == b"DICM":
        return "DICOM"
    for magic, name in _MAGIC:
        if content.startswith(magic):
            return name
    return _text(content[:_HEAD])


def refusal(content: bytes) -> str:
    """The reason why bytes are no image that can be read, for a message."""
    found = kind(content)
    if found in READABLE:
        return f"damaged: begins like {found}, but its header can't be read"
    if found in OTHER_IMAGES:
        return f"{found}; convert it to JPEG or PNG"
    return f"not an image: {found or 'unknown bytes'}"


def _text(head: bytes) -> str:
    """The kind of a text; empty where it is none."""
    try:
        text = head.decode("utf-8-sig") if len(head) < _HEAD else head.decode("utf-8-sig", "ignore")
    except UnicodeDecodeError:
        return ""
    if not text.strip() or any(ord(character) < 32 and character not in "\t\r\n\f" for character in text):
        return ""
    for pointer, name in _POINTERS:
        if pointer.match(text):
            return name
    lower = text.lstrip().lower()
    for mark, name in _MARKUP:
        if lower.startswith(mark) or (mark != "<?xml" and lower[:1] == "<" and mark in lower):
            return name
    return "JSON" if lower[:1] in "{[" else "text"
