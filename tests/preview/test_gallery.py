"""The gallery is one safe, self-contained page, and never takes another file's place."""

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from synthgen.errors import DamagedError, InputError
from synthgen.preview import Picture, write_gallery

PWN = "document.title='pwned'"
HOSTILE = f"</script><script>{PWN}</script>\"'<img src=x onerror={PWN}>\u2028&"
CHROMIUM = shutil.which("chromium")


def encoded(size: tuple[int, int] = (64, 64), kind: str = "JPEG", red: int = 190) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (red, 120, 90)).save(buffer, kind)
    return buffer.getvalue()


def picture(image: bytes | None = None, original: bytes | None = None, **changes: Any) -> Picture:
    record = {
        "key": "text-psoriasis-i-0000001", "entry": "text", "label": "psoriasis", "label_id": 0,
        "skin_tone": "I", "skin_tone_scale": "fitzpatrick", "fitzpatrick": 1,
        "strategy": "text2img", "prompt": "psoriasis on light skin", "negative_prompt": "",
        "attributes": '{"site": "arm"}', "seed": 9223372036854775807, "attempt": 0,
        "model": "phantom", "model_revision": "abc",
        "adapter": "", "scheduler": "dpm++2m", "num_inference_steps": 20, "guidance_scale": 3.0,
        "strength": 1.0, "mask": "", "width": 64, "height": 64, "source_id": "", "source_group": "",
        "source_split": "", "source_dataset": "", "source_license": "", "image_sha256": "0f",
        "generator": "synthgen",
    }  # fmt: skip
    return Picture(record | changes, encoded() if image is None else image, original)


def page(pictures: list[Picture], out: Path, **changes: Any) -> str:
    options: dict[str, Any] = {
        "title": "A run",
        "facts": {"Model": "phantom"},
        "reproduce_dir": "runs/a",
    } | changes
    write_gallery(pictures, out, **options)
    return out.read_text("utf-8")


def embedded(html: str) -> dict[str, Any]:
    block = re.search(r'<script id="data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert block
    data: dict[str, Any] = json.loads(block[1])
    return data


def shown(html: str) -> dict[str, Any]:
    """The first picture of a page, its record as a mapping."""
    data = embedded(html)
    first = data["pictures"][0]
    return dict(first) | {"record": dict(zip(data["fields"], first["record"], strict=True))}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "preview.html"


def test_hostile_words_never_become_markup(out: Path) -> None:
    """A label, prompt, title or fact with tags in it opens no element."""
    hostile = picture(label=HOSTILE, prompt=HOSTILE, entry=HOSTILE, skin_tone=HOSTILE)
    html = page([hostile], out, title=HOSTILE, facts={HOSTILE: HOSTILE}, reproduce_dir=HOSTILE)
    assert html.count("<script") == html.count("</script") == 2
    assert "<img src=x" not in html
    assert "\u2028" not in html.split('id="data"')[1]


def test_hostile_words_are_shown_unchanged(out: Path) -> None:
    """Escaping loses nothing of what a record says."""
    assert shown(page([picture(prompt=HOSTILE)], out))["record"]["prompt"] == HOSTILE


def test_page_needs_no_network(out: Path) -> None:
    """The page names no address, and its policy forbids every one but data:."""
    html = page([picture()], out)
    assert not re.search(r"https?:|src=[\"']?//|@import|url\(", html)
    assert "default-src 'none'; img-src data:" in html
    assert "unsafe-inline" not in html


def test_seed_is_text(out: Path) -> None:
    """A seed beyond 2**53 reaches the page digit by digit, as a string."""
    assert shown(page([picture()], out))["record"]["seed"] == "9223372036854775807"


def test_every_field_of_the_record_is_there(out: Path) -> None:
    """The page carries the record's fields in the record's order."""
    one = picture()
    assert list(shown(page([one], out))["record"]) == list(one.record)


def test_small_image_is_embedded_as_it_is(out: Path) -> None:
    """An image no larger than a thumbnail keeps its very bytes."""
    data = encoded((64, 48), "PNG")
    source = shown(page([picture(data)], out))["source"]
    assert source == "data:image/png;base64," + base64.b64encode(data).decode()


def test_large_image_is_embedded_scaled_down(out: Path) -> None:
    """A larger image becomes a thumbnail of the same shape, and the page says so."""
    first = shown(page([picture(encoded((512, 256)))], out, thumbnail=64))
    with Image.open(io.BytesIO(base64.b64decode(first["source"].split(",")[1]))) as image:
        assert image.size == (64, 32)
    assert (first["size"], first["reduced"]) == ([512, 256], True)


def test_reproduce_line_is_quoted_for_a_shell(out: Path) -> None:
    """A folder with a blank in its name stays one word of the command."""
    command = shown(page([picture()], out, reproduce_dir="my runs/a"))["command"]
    key = "text-psoriasis-i-0000001"
    assert command == f"synthgen reproduce 'my runs/a' {key} --out {key}.jpg"


def test_tones_stand_in_order_of_their_scale(out: Path) -> None:
    """Columns run along each scale, and unknown comes last."""
    mixed = ["unknown", "10", "2", "VI", "34", "I", "12", "IV"]
    html = page([picture(key=f"k-{n}", skin_tone=tone) for n, tone in enumerate(mixed)], out)
    assert embedded(html)["tones"] == ["I", "IV", "VI", "12", "34", "2", "10", "unknown"]


def test_labels_stand_by_their_id(out: Path) -> None:
    """Rows follow label_id and not the alphabet."""
    rows = [picture(key="a", label="acne", label_id=1), picture(key="b", label="wart", label_id=0)]
    assert embedded(page(rows, out))["labels"] == ["wart", "acne"]


def test_same_pictures_make_the_same_bytes(out: Path, tmp_path: Path) -> None:
    """Nothing of the hour or the order of the pictures enters the page."""
    some = [picture(key=f"text-psoriasis-i-{n}") for n in range(3)]
    assert page(some, out) == page(some[::-1], tmp_path / "again.html")


def test_an_original_is_embedded_once(out: Path) -> None:
    """Pictures hold the place of what they start from in one list, in which each image stands once."""
    one, other = encoded(kind="PNG", red=1), encoded(kind="PNG", red=2)
    starts = [other, None, one, other]
    data = embedded(page([picture(original=start, key=f"k-{n}") for n, start in enumerate(starts)], out))
    assert data["originals"] == ["data:image/png;base64," + base64.b64encode(some).decode() for some in (other, one)]
    assert [some["original"] for some in data["pictures"]] == [0, None, 1, 0]


def test_a_page_of_pairs_does_not_call_all_of_it_synthetic(out: Path) -> None:
    """Where originals are shown, only what was made is called synthetic."""
    assert "All images are synthetic" not in page([picture(original=encoded())], out)


def test_hostile_words_of_a_pair_never_become_markup(out: Path) -> None:
    """A key with tags in it opens no element, also where an original stands beside the picture."""
    html = page([picture(original=encoded(), key=HOSTILE, source_id=HOSTILE)], out, photographs=True)
    assert html.count("<script") == html.count("</script") == 2
    assert "<img src=x" not in html


def test_undecodable_original_is_named(out: Path) -> None:
    """A damaged original is reported by the key of its picture, and no page is written."""
    with pytest.raises(DamagedError, match="text-psoriasis-i-0000001"):
        page([picture(original=b"not an image")], out)
    assert not out.exists()


def test_foreign_file_is_left_alone(out: Path) -> None:
    """A file that the preview did not make is refused and keeps its content."""
    out.write_text("<html>mine</html>")
    with pytest.raises(InputError, match=f"^{re.escape(str(out))}: "):
        page([picture()], out)
    assert out.read_text() == "<html>mine</html>"


def test_own_page_is_rewritten(out: Path) -> None:
    """A second preview takes the first one's place and leaves nothing beside it."""
    page([picture()], out)
    assert "Another run" in page([picture()], out, title="Another run")
    assert list(out.parent.iterdir()) == [out]


def test_marker_survives_a_long_title(out: Path) -> None:
    """The page knows itself again however long its title is."""
    page([picture()], out, title="long " * 2000)
    assert page([picture()], out)


def test_undecodable_image_is_named(out: Path) -> None:
    """A damaged image is reported by its key, and no page is written."""
    with pytest.raises(DamagedError, match="text-psoriasis-i-0000001"):
        page([picture(b"not an image")], out)
    assert not out.exists()


def in_a_browser(out: Path, profile: Path) -> str:
    """What a page has become once a browser has run its script."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += ["--no-first-run", f"--user-data-dir={profile}"]
    flags += ["--virtual-time-budget=2000", "--dump-dom", out.as_uri()]
    return subprocess.run([str(CHROMIUM), *flags], capture_output=True, timeout=120, check=True).stdout.decode()


@pytest.mark.skipif(CHROMIUM is None, reason="needs the chromium browser on the PATH")
def test_browser_shows_pictures_and_runs_nothing_foreign(out: Path, tmp_path: Path) -> None:
    """In a real browser hostile words are text, and every picture is laid out."""
    page([picture(key=f"k-{n}", label=HOSTILE, prompt=HOSTILE) for n in range(3)], out)
    dom = in_a_browser(out, tmp_path / "profile")
    assert dom.count('class="picture"') == 3
    assert "<title>A run</title>" in dom
    assert "3 of 3 pictures" in dom


@pytest.mark.skipif(CHROMIUM is None, reason="needs the chromium browser on the PATH")
def test_browser_shows_pairs(out: Path, tmp_path: Path) -> None:
    """In a real browser a pair is one button: the original first, each image told apart by its text."""
    start = encoded(kind="PNG")
    page([picture(key=f"k-{n}{HOSTILE}", original=start if n else None) for n in range(3)], out)
    dom = in_a_browser(out, tmp_path / "profile")
    assert "<title>A run</title>" in dom
    assert (dom.count('class="picture"'), dom.count('class="picture pair"')) == (1, 2)
    pairs = re.findall(r'class="picture pair".*?</button>', dom, re.DOTALL)
    assert [re.findall(r'<img alt="(The image that k-\d|Synthetic image)', pair) for pair in pairs] == [
        [f"The image that k-{n}", "Synthetic image"] for n in (1, 2)
    ]
