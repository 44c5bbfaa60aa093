"""A packed dataset is signed by C2PA, and whoever changes what was signed is found out."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from synthgen.cli import call
from synthgen.core import checksums, seal
from synthgen.errors import InputError, UnavailableError
from synthgen.extensions import EXTENSIONS
from synthgen.pack import add_report, pack
from synthgen.publish.preflight import Preflight
from synthgen.runs import dataset_folder, signature
from synthgen.runs.folders import Run
from synthgen.runs.verify import verify

c2pa = pytest.importorskip("c2pa")
from cryptography import x509  # noqa: E402 - comes with it
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: E402

NOW = datetime.now(UTC)


def pem_of(key: Any, passphrase: bytes | None = None) -> bytes:
    """A private key in PEM."""
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how))


def chain_of(key: Any, *, days: int = 300) -> bytes:
    """The certificates of a signer and of who issued it, in PEM; valid from two years ago for so many days from now."""
    issuer_key = ec.generate_private_key(ec.SECP256R1())

    def certificate(subject: str, public: Any, *, ca: bool) -> bytes:
        lab = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A Lab")
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one), lab]) for one in (subject, "An Issuer")]
        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        builder = x509.CertificateBuilder(*reversed(names), public, x509.random_serial_number())
        builder = builder.not_valid_before(NOW - timedelta(days=700)).not_valid_after(NOW + timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True).add_extension(usage, True)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(authority, False)
        if not ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        made = builder.sign(issuer_key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    issuer = certificate("An Issuer", issuer_key.public_key(), ca=True)
    return certificate("A Signer", key.public_key(), ca=False) + issuer


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with certificates and the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path_factory.mktemp("signer") / "signer.pem"
    path.write_bytes(chain_of(key) + pem_of(key))
    return path


@pytest.fixture(scope="module")
def packed(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset; nobody changes it."""
    out = tmp_path_factory.mktemp("packed") / "dataset"
    list(pack(Run(small, EXTENSIONS), out))
    return out


@pytest.fixture
def dataset(packed: Path, tmp_path: Path) -> Path:
    """A copy of the dataset to do things to."""
    return Path(shutil.copytree(packed, tmp_path / "dataset"))


def damaged(dataset: Path) -> list[str]:
    """What `verify` finds damaged."""
    return [one.path for one in verify(dataset, EXTENSIONS) if one.state != "whole"]


def content(dataset: Path) -> dict[str, bytes]:
    """Every file but the signature."""
    found = [path for path in dataset.rglob("*") if path.is_file() and path.name != signature.FILE]
    return {path.relative_to(dataset).as_posix(): path.read_bytes() for path in found}


def test_a_signed_dataset_says_by_whom_and_is_otherwise_the_same(dataset: Path, signer: Path) -> None:
    """The signature lies beside, and is read by C2PA's own reader with the dataset's digest in it."""
    before = content(dataset)
    made = signature.sign(dataset, signer)
    assert (made.common_name, made.organization, made.algorithm) == ("A Signer", "A Lab", "Es256")
    assert signature.read(dataset) == made
    assert content(dataset) == before
    assert damaged(dataset) == []
    with (dataset / dataset_folder.PROVENANCE).open("rb") as file:
        reader = c2pa.Reader("application/json", file, manifest_data=(dataset / signature.FILE).read_bytes())
    told = json.loads(reader.json())
    assertions = told["manifests"][told["active_manifest"]]["assertions"]
    [facts] = [one["data"] for one in assertions if one["label"] == "org.synthgen.dataset"]
    assert facts["dataset_digest"] == dataset_folder.read_provenance(dataset)["dataset_digest"]


@pytest.mark.parametrize("key", ["secp384r1", "secp521r1", "rsa", "ed25519"])
def test_every_kind_of_key_that_c2pa_takes(key: str, dataset: Path, tmp_path: Path) -> None:
    """Its algorithm follows from the key."""
    kinds = {"rsa": lambda: rsa.generate_private_key(65537, 2048), "ed25519": ed25519.Ed25519PrivateKey.generate}
    private: Any = kinds[key]() if key in kinds else ec.generate_private_key(getattr(ec, key.upper())())
    (tmp_path / "chain.pem").write_bytes(chain_of(private))
    (tmp_path / "key.pem").write_bytes(pem_of(private))
    assert signature.sign(dataset, tmp_path / "chain.pem", tmp_path / "key.pem") == signature.read(dataset)


@pytest.mark.parametrize("how", ["provenance", "garbage", "cut", "empty", "another's"])
def test_what_is_not_the_signature_of_this_dataset_is_damage(how: str, dataset: Path, signer: Path) -> None:
    """A provenance that somebody wrote anew, seal and all, is found out by the signature alone."""
    signature.sign(dataset, signer)
    path = dataset / signature.FILE
    signed = path.read_bytes()
    match how:
        case "provenance":
            provenance = dataset_folder.read_provenance(dataset)
            (dataset / dataset_folder.PROVENANCE).write_bytes(seal.dumps(provenance | {"near_copy_audit": "none"}))
        case "another's":
            shutil.copytree(dataset, dataset.with_name("other"))
            other = dataset.with_name("other")
            provenance = dataset_folder.read_provenance(other)
            (other / dataset_folder.PROVENANCE).write_bytes(seal.dumps(provenance | {"seed": "8"}))
            signature.sign(other, signer)
            shutil.copy(other / signature.FILE, path)
        case _:
            path.write_bytes({"garbage": b"garbage", "cut": signed[:-100], "empty": b""}[how])
    assert damaged(dataset) == [signature.FILE]
    preflight = Preflight(dataset)
    list(preflight.check())
    assert [fault for fault in preflight.faults if signature.FILE in fault]


def test_a_signature_is_published_with_what_it_signs(dataset: Path, signer: Path) -> None:
    """It is among the files that go."""
    signature.sign(dataset, signer)
    preflight = Preflight(dataset)
    list(preflight.check())
    assert signature.FILE in [one.name for one in preflight.files]
    assert not [fault for fault in preflight.faults if signature.FILE in fault]


def test_a_report_in_the_card_takes_an_older_signature_away(dataset: Path, signer: Path, tmp_path: Path) -> None:
    """It signed the card without it; the same report again leaves a new signature alone."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "card.md").write_text("It helped.\n", encoding="utf-8")
    checksums.write(tmp_path / "report", ["card.md"])
    signature.sign(dataset, signer)
    add_report(dataset, tmp_path / "report")
    assert signature.read(dataset) is None
    assert damaged(dataset) == []
    made = signature.sign(dataset, signer)
    add_report(dataset, tmp_path / "report")
    assert signature.read(dataset) == made


@pytest.mark.parametrize("how", ["key of another", "no certificate", "no key", "passphrase", "expired", "dsa", "gone"])
def test_what_makes_no_signature_is_refused_in_a_line(how: str, dataset: Path, tmp_path: Path) -> None:
    """And none is left behind."""
    key: Any = ec.generate_private_key(ec.SECP256R1())
    chain, private = chain_of(key), pem_of(key)
    match how:
        case "key of another":
            private = pem_of(ec.generate_private_key(ec.SECP256R1()))
        case "no certificate":
            chain = b""
        case "no key":
            private = b""
        case "passphrase":
            private = pem_of(key, b"secret")
        case "expired":
            chain = chain_of(key, days=-100)
        case "dsa":
            private = pem_of(dsa.generate_private_key(1024))
    path = tmp_path / "signer.pem"
    if how != "gone":
        path.write_bytes(chain + private)
    with pytest.raises(InputError, match=r"signer\.pem: ") as caught:
        signature.sign(dataset, path)
    assert len(str(caught.value).splitlines()) == 1
    assert not (dataset / signature.FILE).exists()


def test_without_the_package_it_is_named(dataset: Path, signer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    with pytest.raises(UnavailableError, match=r"synthgen-images\[sign\]"):
        signature.sign(dataset, signer)


def test_the_command_signs_and_verify_says_by_whom(
    small: Path, signer: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Packed and signed at once, or signed where it is packed already."""
    out = tmp_path / "dataset"
    command = ["pack", str(small), "--out", str(out), "--sign", str(signer)]
    for said in ("shards in", "packed already"):
        assert call(command) == 0
        assert said in (told := capsys.readouterr().out)
        assert "signed by A Signer (A Lab)" in told
    assert call(["verify", str(out)]) == 0
    assert "signed by A Signer (A Lab)" in capsys.readouterr().out
    assert call([*command[:-2], "--sign-key", str(signer)]) == 2
