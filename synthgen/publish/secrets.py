"""Finds what looks like a secret in text, and takes it out of messages."""

import re

_KINDS = {
    "a Hugging Face token": rb"(?<![A-Za-z0-9])(?:hf|api_org)_[A-Za-z0-9]{30,}",
    "an AWS access key": rb"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])",
    "an AWS secret key": rb"(?i)aws_secret_access_key[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+]{40}",
    "a GitHub token": rb"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    "a Google API key": rb"(?<![A-Za-z0-9])AIza[0-9A-Za-z_-]{35}",
    "a Slack token": rb"(?<![A-Za-z0-9])xox[abprs]-[0-9A-Za-z-]{20,}",
    "a private key": rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}
_SHORTEST_TOKEN = 8


def find(content: bytes, token: str | None = None) -> list[str]:
    """The kinds of secrets that seem to be in a text, never their values.

    Args:
        content: The text's bytes.
        token: The Hub token in use here, which is a secret whatever it looks like.
    """
    found = [kind for kind, pattern in _PATTERNS.items() if pattern.search(content)]
    if token and len(token) >= _SHORTEST_TOKEN and token.encode() in content and "a Hugging Face token" not in found:
        found.append("your Hugging Face token")
    return found


def scrub(text: str, token: str | None = None) -> str:
    """A message on one line, with whatever looks like a secret taken out."""
    if token and len(token) >= _SHORTEST_TOKEN:
        text = text.replace(token, "***")
    content = text.encode(errors="replace")
    for pattern in _PATTERNS.values():
        content = pattern.sub(b"***", content)
    return " ".join(content.decode(errors="replace").split())
