"""Writes the gallery: one HTML file that holds its pictures and needs no network.

Everything a record says reaches the page as text: Jinja2 escapes what stands in the markup, and the
script sets ``textContent`` alone from one block of JSON. A Content-Security-Policy of two hashes
lets no other script or style run.

Not FiftyOne or the viewer of the Hub: they need a server or an upload, and this file can be mailed.
"""

import base64
import io
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from synthgen.core.report import page
from synthgen.errors import DamagedError
from synthgen.vision.picture import THUMBNAIL, Picture, labels_in_order, refuse_foreign, replace_own, tones_in_order

_MARKER = b'<meta name="generator" content="synthgen preview">'
_MARKER_WITHIN = 4096
_FORMATS = ("JPEG", "PNG", "WEBP")
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}


def write_gallery(
    pictures: Sequence[Picture],
    out: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    reproduce_dir: str,
    thumbnail: int = THUMBNAIL,
    photographs: bool = False,
) -> None:
    """Write ``pictures`` as one page, a matrix of label by skin tone for each entry.

    An image whose longest side is over ``thumbnail`` pixels is embedded scaled down to it; an original that several
    pictures start from is embedded once. ``reproduce_dir`` is the folder that the page's ``synthgen reproduce`` lines
    name; ``photographs`` says that real photographs are among the originals, so the page warns of them.

    Raises :class:`~synthgen.errors.InputError` where ``out`` is somebody else's file, and
    :class:`~synthgen.errors.DamagedError` where an image can't be decoded.
    """
    by_key = sorted(pictures, key=lambda picture: picture.key)
    axes = {
        "entries": list(dict.fromkeys(str(picture.record["entry"]) for picture in pictures)),
        "labels": labels_in_order(pictures),
        "tones": tones_in_order(pictures),
    }
    fields = list(dict.fromkeys(field for picture in by_key for field in picture.record))
    originals, places = _originals(by_key, thumbnail)
    shown = [_picture_facts(picture, fields, reproduce_dir, thumbnail, places) for picture in by_key]
    content = page.render(
        "synthgen.preview",
        "gallery.html.j2",
        title=title,
        facts=facts,
        axes=axes,
        count=len(shown),
        pairs=bool(originals),
        photographs=photographs,
        judged=any(picture.rejected is not None for picture in pictures),
        data=_json_block({**axes, "fields": fields, "originals": originals, "pictures": shown}),
    )
    replace_own(out, content.encode("utf-8", "replace"), _is_gallery)


def check_own(out: Path) -> None:
    """Raises :class:`~synthgen.errors.InputError` where a file at ``out`` is not a gallery."""
    refuse_foreign(out, _is_gallery)


def _is_gallery(path: Path) -> bool:
    with path.open("rb") as file:
        return _MARKER in file.read(_MARKER_WITHIN)


def _json_block(data: Mapping[str, Any]) -> Markup:
    """JSON that can't end its script element: ASCII only, so U+2028 and U+2029 are escaped too."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped just above


def _originals(pictures: Sequence[Picture], thumbnail: int) -> tuple[list[str], dict[bytes, int]]:
    """Every different original as a data: URI, and the place of each among them."""
    uris, places = list[str](), dict[bytes, int]()
    for picture in pictures:
        if picture.original is not None and picture.original not in places:
            places[picture.original] = len(uris)
            uris.append(_data_uri(picture.key, picture.original, thumbnail)[0])
    return uris, places


def _picture_facts(
    picture: Picture, fields: Sequence[str], folder: str, thumbnail: int, places: Mapping[bytes, int]
) -> dict[str, Any]:
    source, suffix, size = _data_uri(picture.key, picture.image, thumbnail)
    line = ["synthgen", "reproduce", folder, picture.key, "--out", picture.key + suffix]
    record = picture.record
    return {
        "record": [_text(record[field]) if field in record else None for field in fields],
        "source": source,
        "original": None if picture.original is None else places[picture.original],
        "rejected": picture.rejected,
        "size": size,
        "reduced": max(size) > thumbnail,
        "command": shlex.join(line),
    }


def _text(value: object) -> str:
    """A value as text: a seed passes 2**53, and JavaScript would round it as a number."""
    return value if isinstance(value, str) else json.dumps(value)


def _data_uri(key: str, content: bytes, thumbnail: int) -> tuple[str, str, tuple[int, int]]:
    """An image as a data: URI, with the suffix and size (width, height) of the stored one."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            kind, size = str(image.format), image.size
            data, shown_as = content, kind
            if max(size) > thumbnail:
                data, shown_as = _scaled_down(image, thumbnail), "WEBP"
    except OSError as error:
        raise DamagedError(f"{key}: its image can't be decoded ({error}); run synthgen verify") from error
    uri = f"data:image/{shown_as.lower()};base64,{base64.b64encode(data).decode()}"
    return uri, _SUFFIXES[kind], size


def _scaled_down(image: Image.Image, longest_side: int) -> bytes:
    image.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=85, method=4)
    return buffer.getvalue()
