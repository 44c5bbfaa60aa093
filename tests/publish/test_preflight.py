"""A folder that should not go is refused before anything is sent, with every fault at once."""

import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from calls import TOKEN
from conftest import REPO, Publish, expected, reseal
from hub import Hub
from store import Repository

from synthgen.core import seal
from synthgen.errors import InputError, SynthgenError
from synthgen.publish import card_check, secrets
from synthgen.publish.preflight import Preflight
from synthgen.runs import tar_samples

TAR = "data/train-00001-of-00003.tar"


def faults(root: Path) -> list[str]:
    """What the check finds, paths relative to the folder."""
    preflight = Preflight(root, TOKEN)
    list(preflight.check())
    return [fault.removeprefix(f"{root}/").removeprefix(f"{root}: ") for fault in preflight.faults]


def edit(root: Path, name: str, old: str, new: str) -> None:
    """Change a text file, and make provenance.json agree with it."""
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    reseal(root, name)


def rewrite(root: Path, name: str, change: Callable[[str, dict[str, bytes]], None]) -> None:
    """Write a tar again with each sample changed."""
    samples = [(one.key, dict(one.files)) for one in tar_samples.read(root / name)]
    for key, files in samples:
        change(key, files)
    with (root / name).open("wb") as file:
        list(tar_samples.write(file, samples))
    reseal(root, name)


def test_a_whole_dataset_has_no_fault(dataset: Path) -> None:
    """What `pack` makes passes, and every file of the folder is listed to go."""
    preflight = Preflight(dataset, TOKEN)
    list(preflight.check())
    assert preflight.faults == []
    assert {file.name for file in preflight.files} == set(expected(dataset))


def test_a_folder_that_is_no_dataset_is_bad_usage(tmp_path: Path) -> None:
    """Without provenance.json it is not a packed dataset: exit 2."""
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}: .*provenance.json"):
        Preflight(tmp_path)


def test_all_faults_are_listed_at_once_and_nothing_is_sent(hub: Hub, publish: Publish, dataset: Path) -> None:
    """Damage, a missing and an unknown file, no licence, a request against the repository: one list, nothing sent."""
    (dataset / "prompts/prompts.yaml").unlink()
    (dataset / "notes.txt").write_text("mine")
    content = bytearray((dataset / TAR).read_bytes())
    content[600] ^= 1
    (dataset / TAR).write_bytes(content)
    edit(dataset, "README.md", "license: openrail", "license: unknown")
    hub.repositories[REPO] = Repository(private=True)
    with pytest.raises(SynthgenError) as raised:
        publish(dataset, public=True)
    found = [fault.replace(f"{dataset}/", "").partition(": ")[0] for fault in raised.value.faults]
    assert found[:4] == [TAR, "prompts/prompts.yaml", "notes.txt", "README.md"]
    assert [fault.split(" and ")[0] for fault in found[4:]] == [f"{REPO} is private"]
    assert hub.count("P", "") == 0


def test_another_size_is_damage(dataset: Path) -> None:
    """A file that is not the one in provenance.json is named."""
    with (dataset / "metadata.parquet").open("ab") as file:
        file.write(b"x")
    assert faults(dataset) == [
        "metadata.parquet: its size or sha256 is not the one in provenance.json; run `synthgen verify`"
    ]


def test_a_path_outside_the_folder_is_refused(dataset: Path) -> None:
    """provenance.json can't make us send a file from elsewhere."""
    path = dataset / "provenance.json"
    document = json.loads(path.read_text())
    document["files"]["../../etc/hostname"] = {"sha256": "0", "size": 1}
    path.write_text(json.dumps(document))
    assert faults(dataset)[0] == "provenance.json: names a file outside the folder: ../../etc/hostname"


def test_another_field_in_one_tar_is_found(dataset: Path) -> None:
    """A record with a field of another type differs from the first record of all."""

    def change(key: str, files: dict[str, bytes]) -> None:
        files["json"] = json.dumps(json.loads(files["json"]) | {"seed": "1"}).encode()

    rewrite(dataset, TAR, change)
    (fault,) = faults(dataset)
    assert fault.startswith(f"{TAR}: ")
    assert "has other fields (seed) than" in fault


def test_another_extension_in_one_tar_is_found(dataset: Path) -> None:
    """A tar whose images are called otherwise differs from the others."""

    def change(key: str, files: dict[str, bytes]) -> None:
        files["jpg"] = files.pop("png")

    rewrite(dataset, TAR, change)
    (fault,) = faults(dataset)
    assert "has other files (.cls, .jpg, .json and not .cls, .json, .png) than" in fault


def test_a_short_tar_is_found(dataset: Path) -> None:
    """A tar that holds fewer samples than provenance.json says is a fault."""
    path = dataset / TAR
    samples = [(one.key, one.files) for one in tar_samples.read(path)][:-1]
    with path.open("wb") as file:
        list(tar_samples.write(file, samples))
    reseal(dataset, TAR)
    assert faults(dataset) == [f"{TAR}: holds 7 samples, provenance.json says 8"]


def test_a_tar_that_is_none_is_found(dataset: Path) -> None:
    """Bytes that are no tar are one fault, not a traceback."""
    (dataset / TAR).write_bytes(b"no tar" * 1000)
    reseal(dataset, TAR)
    assert len(faults(dataset)) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("license: openrail\n", "", "no licence"),
        ("license: openrail", "license: unknown", "no licence"),
        ("license: openrail", "license: []", "no licence"),
        ("license: openrail", "license: other", "publish.license_link"),
        ("license: openrail", "license: other\nlicense_link: https://example.org", "publish.license_name"),
        ("---\n", "", "no YAML header"),
        ("license: openrail", "license: [", "not valid YAML"),
    ],
)
def test_the_cards_header_is_checked(dataset: Path, old: str, new: str, said: str) -> None:
    """A card without a header that can be read, or without a licence, does not go."""
    edit(dataset, "README.md", old, new)
    (fault,) = faults(dataset)
    assert fault.startswith("README.md: ")
    assert said in fault


def test_a_card_that_leaves_tars_out_is_found(dataset: Path) -> None:
    """Tars that the loader would not find through the card are named."""
    edit(dataset, "README.md", "path: data/train-*.tar", "path: data/train-00000-*.tar")
    assert faults(dataset) == [
        f"`datasets` does not find data/train-0000{number}-of-00003.tar; the card's `configs` leave it out"
        for number in (1, 2)
    ]


def test_a_card_that_the_loader_cannot_follow_is_found(dataset: Path) -> None:
    """What `datasets` can't open is one line with its own words."""
    edit(dataset, "README.md", "path: data/train-*.tar", "path: nowhere/*.tar")
    (fault,) = faults(dataset)
    assert fault.startswith("`datasets` can't open it: ")


def test_the_hubs_own_check_is_one_line_a_fault(hub: Hub, publish: Publish, dataset: Path) -> None:
    """What the Hub has against the card is said before anything is sent."""
    hub.card_faults = ['"license" must be one of the list']
    with pytest.raises(SynthgenError, match=r'^README\.md: .*"license" must be one'):
        publish(dataset)
    assert hub.repositories == {}


SECRETS = {
    "a Hugging Face token": "hf_" + "aB3" * 12,
    "an AWS access key": "AKIA" + "ABCD1234" * 2,
    "an AWS secret key": "aws_secret_access_key = " + "aB3/" * 10,
    "a GitHub token": "ghp_" + "aB3" * 13,
    "a Google API key": "AIza" + "aB3-_" * 7,
    "a Slack token": "xoxb-" + "1234567890-abcdef" * 2,
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "your Hugging Face token": TOKEN[4:],
}


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_found_and_not_repeated(kind: str) -> None:
    """Each kind of secret is found by its looks, and only its kind is said."""
    assert secrets.find(f"key: '{SECRETS[kind]}'".encode(), TOKEN[4:]) == [kind]


@pytest.mark.parametrize(
    "text", ["hf_hub_download", "task-sk-AKIA", "a private key", "hf_", "psoriasis " * 50, "0" * 64]
)
def test_ordinary_text_is_no_secret(text: str) -> None:
    """Words, names and hashes are not taken for secrets."""
    assert secrets.find(text.encode(), TOKEN) == []


def test_a_secret_in_a_text_file_is_named_without_its_value(dataset: Path) -> None:
    """The file and the kind are said, never the value."""
    secret = SECRETS["a Hugging Face token"]
    edit(dataset, "manifest.yaml", "name: larger", f"name: larger # {secret}")
    (fault,) = faults(dataset)
    assert fault == "manifest.yaml: holds what looks like a Hugging Face token; take it out and pack again"


def test_a_secret_in_a_record_is_found(dataset: Path) -> None:
    """The records in the tars are text as well."""
    secret = SECRETS["an AWS access key"]

    def change(key: str, files: dict[str, bytes]) -> None:
        files["json"] = json.dumps(json.loads(files["json"]) | {"prompt": secret}).encode()

    rewrite(dataset, TAR, change)
    found = faults(dataset)
    assert len(found) == 8
    assert all(fault.startswith(f"{TAR}/fake-") for fault in found)
    assert not any(secret in fault for fault in found)


@pytest.mark.parametrize("column", ["prompt", "source_license"])
def test_a_secret_in_a_table_is_found(dataset: Path, column: str) -> None:
    """A table beside the shards is text as well: its column and the kind are said, never the value."""
    path = dataset / "metadata.parquet"
    table = pq.read_table(path)
    values = [*table[column].to_pylist()[:-1], f"https://example.org/?key={SECRETS['a GitHub token']}"]
    pq.write_table(table.set_column(table.column_names.index(column), column, pa.array(values)), path)
    reseal(dataset, path.name)
    said = f"metadata.parquet: column {column} holds what looks like a GitHub token; take it out and pack again"
    assert [fault for fault in faults(dataset) if "GitHub" in fault] == [said]


@pytest.mark.parametrize(
    ("audit", "text", "good"),
    [
        ("not done: no time", "", False),
        (None, "", False),
        ({"threshold": 0.95, "found": 0}, "", True),
        ("not done", "The near-copy audit was not done.", True),
        ("not done", "No near-copy audit was made.", True),
    ],
)
def test_real_sources_need_an_audit_or_a_word(audit: Any, text: str, good: bool) -> None:
    """Where real images were used, the audit is on record, or the card says that it was not done."""
    card = f"---\nlicense: openrail\n---\n{text}"
    found = list(card_check.faults(card, {"near_copy_audit": audit}, real_sources=True))
    assert (found == []) is good
    assert list(card_check.faults(card, {"near_copy_audit": audit}, real_sources=False)) == []


@pytest.mark.parametrize("field", ["source_id", "source_group", "source_dataset", "adapter"])
def test_real_sources_are_seen_in_the_records(dataset: Path, field: str) -> None:
    """A record that names a source, or its group alone, means that real images were used."""

    def change(key: str, files: dict[str, bytes]) -> None:
        files["json"] = json.dumps(json.loads(files["json"]) | {field: "isic-1"}).encode()

    rewrite(dataset, TAR, change)
    (fault,) = faults(dataset)
    assert fault.startswith("README.md: real images were used and no near-copy audit")


def test_hidden_files_stay_here(hub: Hub, publish: Publish, dataset: Path) -> None:
    """What a system leaves in folders is neither a fault nor sent."""
    before = expected(dataset)
    (dataset / ".DS_Store").write_bytes(b"\0")
    publish(dataset)
    assert hub[REPO].snapshot() == before


def test_a_member_out_of_place_is_found(dataset: Path) -> None:
    """A tar in which a key occurs twice is damage."""
    with tarfile.open(dataset / TAR, "w") as tar:
        for name in ("a.json", "b.json", "a.cls"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    reseal(dataset, TAR)
    assert len(faults(dataset)) == 1


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("rai:dataBiases", "rai:dataBias", "rai:dataBiases"),
        ('"rai:hasSyntheticData": true', '"rai:hasSyntheticData": null', "rai:hasSyntheticData"),
        ("croissant/1.1", "croissant/0.8", "croissant/1.1"),
        ('"@id": "data/train-00001', '"@id": "data/trian-00001', "data/train-00001"),
        ('"recordSet"', '"recordSets"', "recordSet"),
        ("{", "", "not Croissant"),
    ],
)
def test_what_a_venue_would_refuse_is_a_fault(old: str, new: str, fault: str, dataset: Path) -> None:
    """A field for responsible AI, the version, a shard or the records missing from `croissant.json`: each is named."""
    path = dataset / "croissant.json"
    path.write_text(path.read_text().replace(old, new, 1) if old == "{" else path.read_text().replace(old, new))
    reseal(dataset, "croissant.json")
    found = faults(dataset)
    assert found
    assert all(one.startswith("croissant.json: ") for one in found)
    assert fault in found[0]


def test_another_sha256_in_croissant_is_a_fault(dataset: Path) -> None:
    """Whoever reads the dataset by `croissant.json` would be refused by the sha256 that it gives."""
    path = dataset / "croissant.json"
    held = json.loads((dataset / "provenance.json").read_bytes())["files"][TAR]["sha256"]
    path.write_text(path.read_text().replace(held, "0" * 64))
    reseal(dataset, "croissant.json")
    assert faults(dataset) == [f"croissant.json: says another sha256 of {TAR} than provenance.json; pack again"]


def test_a_dataset_of_an_earlier_version_has_no_croissant(dataset: Path) -> None:
    """It is published as it is."""
    path = dataset / "provenance.json"
    provenance = json.loads(path.read_text())
    del provenance["files"]["croissant.json"]
    (dataset / "croissant.json").unlink()
    path.write_bytes(seal.dumps({key: one for key, one in provenance.items() if key not in (seal.MARK, seal.KEY)}))
    assert faults(dataset) == []


@pytest.mark.parametrize(
    ("limit", "fault"),
    [
        ("LARGEST_FILE", r"data/train-00000-of-00003\.tar: .*pack\.max_shard_bytes"),
        ("MOST_IN_A_FOLDER", r"data: .*pack\."),
    ],
)
def test_what_the_hub_would_not_take_is_a_fault(
    limit: str, fault: str, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, or a folder, larger than the Hub takes is named with the key that makes it smaller."""
    monkeypatch.setattr(f"synthgen.publish.preflight.{limit}", 2)
    assert [one for one in faults(dataset) if re.match(fault, one)]
