"""The signature of a packed dataset: a C2PA manifest beside ``provenance.json``, which holds the sha256 of every file.

Made and checked by ``c2pa-python``, the C2PA's own (https://opensource.contentauthenticity.org); its key types are read
by ``cryptography``, which comes with it. A signature has the time and is drawn anew each time, so it is no part of the
dataset's digest nor of ``provenance.json``. Images stay as they are: their bytes are promised by their records.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from synthgen.core import atomic
from synthgen.core.releases import __version__
from synthgen.errors import DamagedError, InputError, UnavailableError
from synthgen.runs import dataset_folder

FILE = dataset_folder.SIGNATURE
_FORMAT = "application/json"
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_UNTRUSTED = "signingCredential.untrusted"  # of whoever is on no list that the reader was given: it is given none
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a dataset, as the certificate says; whether to trust that certificate is for its reader to say.

    Attributes:
        common_name: Whom the certificate is of.
        organization: Their organization; empty where it says none.
        serial_number: The certificate's.
        algorithm: As C2PA names it: ``Es256``.
    """

    common_name: str
    organization: str
    serial_number: str
    algorithm: str

    def __str__(self) -> str:
        of = f" ({self.organization})" if self.organization else ""
        return f"signed by {self.common_name}{of}, certificate {self.serial_number}, {self.algorithm}"


def sign(dataset: Path, certificates: Path, key: Path | None = None) -> Signature:
    """Sign a packed dataset, in place of an older signature; returns whose it is once it was read back.

    Args:
        dataset: The dataset.
        certificates: A PEM file: the signer's certificate and those up to, or with, the one that issued it.
        key: A PEM file with the signer's private key; the same file if left out.

    Raises:
        UnavailableError: ``c2pa-python`` is not installed.
        InputError: It is no packed dataset; a file can't be read, or does not make a signature that C2PA takes: with
            a key that belongs to no certificate, a certificate that has expired or is not for signing.
        DamagedError: The dataset's provenance is not what was written.
    """
    c2pa = _library()
    provenance = dataset_folder.read_provenance(dataset)
    dataset_folder.check_seal(dataset)
    content = (dataset / dataset_folder.PROVENANCE).read_bytes()
    pem = _read(certificates)
    algorithm, private = _private_key(key or certificates)
    try:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm.encode(), pem, private, None))
        builder = c2pa.Builder(json.dumps(_manifest(provenance)))
        builder.set_no_embed()
        found = builder.sign(signer, _FORMAT, io.BytesIO(content), io.BytesIO())
    except c2pa.C2paError as error:
        raise InputError(f"{certificates}: no signature can be made with it: {error}") from None
    signature, faults = _validated(c2pa, content, found)
    if faults or signature is None:
        raise InputError(f"{certificates}: C2PA takes no signature of it: {', '.join(faults)}")
    atomic.write(dataset / FILE, found)
    return signature


def remove(dataset: Path) -> bool:
    """Take a signature away, as before what it signs is changed; whether there was one."""
    path = dataset / FILE
    there = path.is_file()
    path.unlink(missing_ok=True)
    return there


def is_installed() -> bool:
    """Whether signatures can be made and checked here."""
    from importlib.util import find_spec

    return find_spec("c2pa") is not None


def read(dataset: Path) -> Signature | None:
    """The signature of a dataset, once it is sure that it is of the provenance that is there; ``None`` without one.

    Raises:
        UnavailableError: ``c2pa-python`` is not installed.
        DamagedError: It is no signature, or of another provenance.
    """
    path = dataset / FILE
    if not path.is_file():
        return None
    content = (dataset / dataset_folder.PROVENANCE).read_bytes()
    signature, faults = _validated(_library(), content, path.read_bytes())
    if faults or signature is None:
        raise DamagedError(f"no signature of this dataset ({', '.join(faults)}); remove it, or sign again")
    return signature


def _library() -> ModuleType:
    try:
        import c2pa
    except ImportError:
        raise UnavailableError("signatures: pip install 'synthgen-images[sign]'") from None
    found: ModuleType = c2pa
    return found


def _validated(c2pa: ModuleType, content: bytes, manifest: bytes) -> tuple[Signature | None, list[str]]:
    """What a C2PA manifest says of its signer, and the codes of why it is not valid for these bytes."""
    try:
        reader = c2pa.Reader(_FORMAT, io.BytesIO(content), manifest_data=manifest)
        told = json.loads(reader.json())
    except c2pa.C2paError as error:
        return None, [str(error)]
    state = told.get("validation_state")
    faults = [str(one.get("code")) for one in told.get("validation_status", []) if one.get("code") != _UNTRUSTED]
    info = told["manifests"][told["active_manifest"]].get("signature_info", {})
    said = [str(info.get(name, "")) for name in ("common_name", "issuer", "cert_serial_number", "alg")]
    return Signature(*said), faults or ([] if state in ("Valid", "Trusted") else [str(state)])


def _manifest(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What is signed beside the bytes: what made the images, by IPTC's word for it, and the dataset's digest."""
    title = str(provenance.get("title") or provenance["name"])
    painted = bool(provenance.get("sources"))
    kind = "compositeWithTrainedAlgorithmicMedia" if painted else "trainedAlgorithmicMedia"
    software = {"name": "synthgen", "version": __version__}
    action = {"action": "c2pa.created", "digitalSourceType": _SOURCE_TYPES + kind, "softwareAgent": software}
    return {
        "claim_generator_info": [software],
        "title": f"{title}: {dataset_folder.PROVENANCE}",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {
                "label": "org.synthgen.dataset",
                "data": {
                    "dataset_digest": provenance["dataset_digest"],
                    "images": provenance["packed"],
                    "models": provenance["models"],
                },
            },
        ],
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from None


def _private_key(path: Path) -> tuple[str, bytes]:
    """C2PA's name of what a key signs by, and the key as PKCS #8."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except TypeError:
        raise InputError(f"{path}: its private key needs a passphrase; give one without (openssl pkey)") from None
    except ValueError:
        raise InputError(f"{path}: no private key in PEM; give --sign-key its file") from None
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            algorithm = _CURVES[key.curve.name]
        case rsa.RSAPrivateKey():
            algorithm = "ps256"
        case ed25519.Ed25519PrivateKey():
            algorithm = "ed25519"
        case _:
            raise InputError(f"{path}: C2PA signs by P-256, P-384, P-521, RSA or Ed25519, not by this key")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return algorithm, key.private_bytes(encoding, form, serialization.NoEncryption())
