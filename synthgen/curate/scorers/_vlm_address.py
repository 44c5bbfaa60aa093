"""A model behind an address that speaks OpenAI's protocol of chat completions.

Not the ``openai`` package: one request is all that is asked, and its token, its proxies and its words of errors are
ours to keep.
"""

from __future__ import annotations

import base64
import io
import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import httpx2

from synthgen.core import backoff
from synthgen.core.releases import __version__
from synthgen.curate.scorers.vlm import Answer, Settings
from synthgen.errors import UnavailableError, one_line

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

_ATTEMPTS = 6
_LARGEST = 1_000_000  # bytes of an answer that is still one


def prepare(settings: Settings) -> tuple[dict[str, Any], Callable[[], AddressModel]]:
    """What its answers depend on, and what opens it; nothing is asked yet.

    Raises:
        UnavailableError: The token would go over the network as plain text.
    """
    address = (settings.address or "").rstrip("/")
    token = os.environ.get(settings.token_from, "").strip()
    host = httpx2.URL(address).host
    if token and address.startswith("http:") and not _is_here(host):
        raise UnavailableError(
            f"curate.scorers.vlm.address: {settings.token_from} would be sent to {host} as plain text; give an "
            "https address, or unset the variable"
        )
    facts = {"address": address, "model": settings.model}
    return facts, lambda: AddressModel(settings, address, token)


class AddressModel:
    """Asks the server, several images at a time, and again where that may help."""

    def __init__(self, settings: Settings, address: str, token: str) -> None:
        headers = {"User-Agent": f"synthgen/{__version__}"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._settings, self._url = settings, f"{address}/chat/completions"
        try:
            self._client = httpx2.Client(
                headers=headers,
                timeout=settings.timeout,
                follow_redirects=False,
                trust_env=not _is_here(httpx2.URL(address).host),  # what is meant for this machine goes by no proxy
            )
        except (ValueError, ImportError):  # their words would show a proxy's address, and its password
            raise UnavailableError(
                "the proxy of the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) can't be used; correct or unset it"
            ) from None

    def over(self, images: list[tuple[Pixels, list[str]]]) -> list[list[Answer]]:
        """The answers on each image, in order."""
        with ThreadPoolExecutor(self._settings.requests_at_once) as pool:
            return list(pool.map(lambda one: self.answers(*one), images))

    def answers(self, pixels: Pixels, questions: list[str]) -> list[Answer]:
        """What it answers to each question on one image, which is sent as PNG."""
        image = f"data:image/png;base64,{base64.b64encode(_png(pixels)).decode()}"
        return [self._ask(image, question) for question in questions]

    def _ask(self, image: str, question: str) -> Answer:
        content = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": question}]
        body = {
            "model": self._settings.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            "seed": 0,
            "max_tokens": self._settings.max_new_tokens,
        }
        return self._read(self._sent(body))

    def _sent(self, body: Mapping[str, Any]) -> bytes:
        """What the server answers; asked again where its trouble may pass.

        Raises:
            UnavailableError: It is not there, or refuses.
        """
        said = ""
        for attempt in range(1, _ATTEMPTS + 1):
            wait = backoff.doubling(attempt)
            try:
                status, asked_to_wait, content = self._post(body)
            except httpx2.HTTPError as error:
                said = type(error).__name__
            else:
                if status == 200:
                    return content
                said = f"HTTP {status}{self._words(content)}"
                if status not in backoff.PASSING_STATUS:
                    break
                wait = max(wait, backoff.retry_after(asked_to_wait))
            if attempt == _ATTEMPTS or wait > backoff.LONGEST_ASKED:
                break
            time.sleep(wait)
        raise UnavailableError(
            f"curate.scorers.vlm: {self._url}: {said}; see that the server is there, has the model "
            f"`{self._settings.model}`, and that {self._settings.token_from} holds its token; scores so far are kept"
        )

    def _post(self, body: Mapping[str, Any]) -> tuple[int, str, bytes]:
        """The status of an answer, how long it asks to wait, and its content, of which no more than is one is read."""
        content, until = b"", time.monotonic() + self._settings.timeout
        with self._client.stream("POST", self._url, json=body) as response:
            for part in response.iter_bytes():
                content += part
                if len(content) > _LARGEST or time.monotonic() > until:
                    raise UnavailableError(
                        f"curate.scorers.vlm: {self._url}: its answer has more than {_LARGEST:,} bytes, or takes more "
                        f"than {self._settings.timeout:g} s; see that it is OpenAI's protocol; scores so far are kept"
                    )
            return response.status_code, response.headers.get("Retry-After", ""), content

    def _words(self, content: bytes) -> str:
        """Why the server refuses, in its own words, without the token; empty where it does not say."""
        try:
            said = json.loads(content)["error"]["message"]
        except (ValueError, LookupError, TypeError):
            return ""
        token = os.environ.get(self._settings.token_from, "")
        return f" ({one_line(said.replace(token, '...') if token else said)[:200]})" if isinstance(said, str) else ""

    def _read(self, content: bytes) -> Answer:
        """The text and the tokens of an answer.

        Raises:
            UnavailableError: It is no answer of that protocol.
        """
        try:
            found = json.loads(content)
            text = found["choices"][0]["message"]["content"]
            usage = found.get("usage") or {}
            tokens = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise UnavailableError(
                f"curate.scorers.vlm: {self._url}: not an answer of OpenAI's protocol ({type(error).__name__}); give "
                "an address that has /chat/completions"
            ) from None
        return Answer(text if isinstance(text, str) else "", *tokens)


def _is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _png(pixels: Pixels) -> bytes:
    """An image without anything beside its pixels."""
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG")
    return sink.getvalue()
