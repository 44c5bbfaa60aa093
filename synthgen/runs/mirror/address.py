"""The address of a mirror: what fsspec opens of it, and how it is shown, without what could be a secret."""

import os
import re
from pathlib import Path
from typing import Any

from synthgen.errors import Fault, InputError, UnavailableError, one_line

_PASSWORD = re.compile(r"^([a-z0-9+.-]+://)[^@]*:[^@]*@", re.IGNORECASE)
_PROTOCOL = re.compile(r"^([a-z0-9+.-]+)://", re.IGNORECASE)
_EXTRAS = {"s3": "s3", "s3a": "s3"}
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSW|CREDENTIAL|CONNECTION_STRING|SAS", re.IGNORECASE)
_SHORTEST_SECRET = 8


def shown(address: str) -> str:
    """An address as it may be printed: without a user's password, and without a query."""
    masked = _PASSWORD.sub(r"\1***@", address)
    return masked.partition("?")[0] + "?***" if "?" in masked and _PROTOCOL.match(masked) else masked


def reason(error: BaseException) -> str:
    """What an error says, on one line, without the secrets that the environment holds."""
    said = one_line(getattr(error, "strerror", None) or error) or type(error).__name__
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET.search(name):
            said = said.replace(value, "***")
    return said


def opened(address: str, *, anew: bool = False) -> tuple[Any, str]:
    """The file system of fsspec that an address is of, and the folder's path in it, without a slash at its end.

    Args:
        address: The address.
        anew: Whether it is to be connected to once more, in place of the connection that fsspec keeps.

    Raises:
        InputError: It is none, or holds a password.
        UnavailableError: There is no such protocol, or its package is not installed.
    """
    named = f"--mirror {shown(address)}"
    if not address.strip():
        raise InputError(Fault("--mirror: it is empty; give an address, as s3://bucket/run", path="mirror"))
    if _PASSWORD.match(address) or shown(address) != address:
        raise InputError(
            Fault(
                f"{named}: holds what may be a secret, which others could read in lists of processes; leave it out: "
                "credentials come from the environment or from the files of the protocol's package",
                path="mirror",
                kind="invalid",
            )
        )
    if "::" in address:
        raise InputError(Fault(f"{named}: one address inside another; give one alone", path="mirror", kind="invalid"))
    import fsspec

    protocol = found.group(1).lower() if (found := _PROTOCOL.match(address)) else "file"
    asked = address if found else str(Path(address).expanduser().resolve())
    try:
        kind = fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        said = f"pip install 'synthgen-images[{extra}]'" if extra else reason(error)
        raise UnavailableError(
            Fault(f"{named}: what reads {protocol}:// is not installed; {said}", path="mirror", kind="unavailable")
        ) from None
    except ValueError:
        raise UnavailableError(
            Fault(
                f"{named}: fsspec knows no protocol `{protocol}`; there are s3://, gs://, az://, sftp://, file:// and "
                "others",
                path="mirror",
                kind="unsupported",
            )
        ) from None
    try:
        files, base = fsspec.core.url_to_fs(asked, **({"skip_instance_cache": True} if anew else {}))
    except Exception as error:  # noqa: BLE001 - each file system has errors of its own
        raise UnavailableError(Fault(f"{named}: can't be opened ({reason(error)})", path="mirror")) from None
    if not isinstance(files, kind) or not base.strip("/"):
        raise InputError(Fault(f"{named}: names no folder; give one, as s3://bucket/run", path="mirror"))
    return files, base.rstrip("/")


def check_apart(address: str, root: Path) -> None:
    """Refuse a mirror that lies in a run's folder on this machine, or around it.

    Raises:
        InputError: It does.
    """
    found = _PROTOCOL.match(address)
    if not address or (found and found.group(1).lower() not in ("file", "local")):
        return
    files, base = opened(address)
    mirror, run = Path(files._strip_protocol(base)).resolve(), root.resolve()
    if mirror.is_relative_to(run) or run.is_relative_to(mirror):
        said = f"--mirror {shown(address)}: lies in {root}, or around it; give a place of its own, on another disk"
        raise InputError(Fault(said, path="mirror", kind="conflict"))
