"""Bad usage and bad input are exit code 2 and one line a fault that says where and what to do, never a traceback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.core import resources

Refused = Callable[..., list[str]]
TEXT2IMG = [{"strategy": "text2img", "per_cell": 1, "settings": {"height": 64, "width": 64, "num_inference_steps": 1}}]
FAKE = {"strategy": "fake", "per_cell": 5, "settings": {"height": 32, "width": 32}}


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder with its bytes and time."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["genrate"], "no command `genrate`; did you mean `generate`?"),
        (["xyzzy"], "no command `xyzzy`; see `synthgen --help`"),
        (["--colour"], "No such option"),
        (["-q", "generate", "smallest"], "options come after the command, as in `synthgen run -q ...`"),
        (["plan"], "Missing argument 'MANIFEST'"),
        (["plan", "smallest", "quickstart"], "unexpected extra argument"),
        (["generate", "smallest"], "Missing option '--out'"),
        (["run", "smallest", "--out", ""], "it is empty; give a path"),
        (["pack", "."], "Missing option '--out'"),
        (["preview", "."], "Missing option '--out'"),
        (["reproduce", ".", "key"], "Missing option '--out'"),
        (["reproduce", "."], "Missing argument 'KEY'"),
        (["verify", "no/such/folder"], "no/such/folder' does not exist"),
        (["pack", "no/such/folder", "--out", "x"], "no/such/folder' does not exist"),
        (["doctor", "--fix"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage(arguments: list[str], fault: str, refused: Refused, tmp_path: Path, monkeypatch: Any) -> None:
    """What can't be understood is said in one line, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    (found,) = refused(*arguments)
    assert fault in found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--shards", "x"], "`x` is not of the form A:B"),
        (["--shards", "1"], "`1` is not of the form A:B"),
        (["--shards", "0:-1"], "`0:-1` is not of the form A:B"),
        (["--shards", "²:"], "`²:` is not of the form A:B"),
        (["--array", "²/3"], "`²/3` is not of the form I/N with I from 0 to N - 1"),
        (["--batch-size", "²"], "`²` is neither `auto` nor a whole number from 1 to 65536"),
        (["--workers", "9" * 5000], "is neither `auto` nor a whole number from 1 on"),
        (["--shards", "9:12"], "--shards selects none of the plan's 5 work shards"),
        (["--shards", "3:2"], "--shards selects none of the plan's 5 work shards"),
        (["--array", "3/2"], "`3/2` is not of the form I/N with I from 0 to N - 1"),
        (["--array", "2/2"], "`2/2` is not of the form I/N with I from 0 to N - 1"),
        (["--array", "0/0"], "`0/0` is not of the form I/N with I from 0 to N - 1"),
        (["--array", "1"], "`1` is not of the form I/N with I from 0 to N - 1"),
        (["--limit", "0"], "'--limit'"),
        (["--batch-size", "0"], "`0` is neither `auto` nor a whole number from 1 to 65536"),
        (["--batch-size", "2.5"], "`2.5` is neither `auto` nor a whole number from 1 to 65536"),
        (["--batch-size", "65537"], "`65537` is neither `auto` nor a whole number from 1 to 65536"),
        (["--workers", "0"], "`0` is neither `auto` nor a whole number from 1 on"),
        (["--device", "tpu"], "'tpu' is not one of"),
        (["--dtype", "int8"], "'int8' is not one of"),
        (["--attention", "flash"], "'flash' is not one of"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, list) else "",
)
def test_bad_options_of_generate(
    options: list[str], fault: str, refused: Refused, write_manifest: Any, tmp_path: Path
) -> None:
    """An option's value that makes no sense is refused before the run's folder is made."""
    (found,) = refused("generate", write_manifest(), "--out", tmp_path / "run", *options)
    assert fault in found
    assert not (tmp_path / "run").exists()


def test_a_run_is_a_folder(refused: Refused, write_manifest: Any) -> None:
    """A file is no place for a run, and stays as it is."""
    manifest = write_manifest()
    before = manifest.read_bytes()
    (found,) = refused("generate", manifest, "--out", manifest)
    assert "is a file" in found
    assert manifest.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--runner", "nosuch"], "no runner `nosuch`; there are: local, ray"),
        (["--runner", "rey"], "no runner `rey`; did you mean `ray`?"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, list) else "",
)
def test_runners_that_cannot_be_had(
    options: list[str], fault: str, refused: Refused, write_manifest: Any, tmp_path: Path
) -> None:
    """A runner that is not there, or not as asked for, is refused, and no image is made."""
    (found,) = refused("generate", write_manifest(), "--out", tmp_path / "run", *options)
    assert fault in found
    assert list(tmp_path.rglob("*.tar")) == []


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--dtype", "fp16"], "--dtype fp16: a CPU has no fast fp16 arithmetic; use bf16, fp32 or auto"),
        (["--attention", "xformers"], "--attention xformers: needs a CUDA device, this is cpu"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, list) else "",
)
def test_wishes_that_the_device_refuses(
    options: list[str], fault: str, refused: Refused, write_manifest: Any, tmp_path: Path
) -> None:
    """A dtype or backend that the device does not have is an error, and never quietly another one."""
    manifest = write_manifest(generate=TEXT2IMG)
    (found,) = refused("generate", manifest, "--out", tmp_path / "run", "--device", "cpu", *options)
    assert fault in found
    assert list(tmp_path.rglob("*.tar")) == []


def test_a_wish_that_was_refused_does_not_stick(
    refused: Refused, synthgen: Callable[..., Any], write_manifest: Any, tmp_path: Path
) -> None:
    """After a refused request the folder is still free for the next try, with another manifest too."""
    refused("generate", write_manifest(generate=TEXT2IMG), "--out", tmp_path / "run", "--dtype", "fp16")
    said = synthgen("generate", write_manifest(seed=8), "--out", tmp_path / "run")
    assert said.code == 0, said.err


@pytest.mark.parametrize("command", ["plan", "run", "generate"])
def test_an_unknown_manifest_names_those_that_ship(command: str, refused: Refused, tmp_path: Path) -> None:
    """A manifest that is neither a file nor ships is answered with the names of those that do."""
    options = [] if command == "plan" else ["--out", tmp_path / "run"]
    (found,) = refused(command, "quickstrat", *options)
    assert found.startswith("MANIFEST: no file quickstrat, and none that ships has that name")
    assert all(name in found for name in resources.names("manifests"))


@pytest.mark.parametrize("command", ["plan", "run", "generate"])
def test_a_manifest_s_faults_come_all_at_once(
    command: str, refused: Refused, write_manifest: Any, tmp_path: Path
) -> None:
    """Every fault of a manifest is a line of its own, and each says where it is."""
    manifest = write_manifest(seed=-1, colour="red", labels={}, generate=[FAKE | {"settings": {"hight": 32}}])
    options = [] if command == "plan" else ["--out", tmp_path / "run"]
    faults = refused(command, manifest, *options)
    assert sorted(fault.partition(":")[0] for fault in faults) == [
        "colour",
        "generate[0].settings.hight",
        "labels",
        "seed",
    ]
    assert "did you mean `height`?" in "".join(faults)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "expected `key: value` lines"),
        (b"name: [", "not valid YAML"),
        (b"name: a\nname: b\n", "`name` is given twice"),
        (b"name: \xff\n", "not UTF-8"),
        (b"!!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_a_manifest_that_is_no_document(content: bytes, fault: str, refused: Refused, tmp_path: Path) -> None:
    """A file that is no YAML of keys is one fault that names the file."""
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    (found,) = refused("plan", path)
    assert "broken.yaml" in found
    assert fault in found


@pytest.mark.parametrize("command", ["generate", "run"])
def test_a_folder_that_is_not_empty_is_left_alone(
    command: str, refused: Refused, write_manifest: Any, tmp_path: Path
) -> None:
    """Nothing is written beside files that are not synthgen's."""
    out = tmp_path / "out"
    theirs = out / "work" if command == "run" else out
    theirs.mkdir(parents=True)
    (theirs / "thesis.tex").write_text("years of work")
    before = tree(out)
    (found,) = refused(command, write_manifest(), "--out", out)
    assert "is not empty and not a synthgen run; choose another folder" in found
    assert tree(out) == before


def test_a_folder_of_another_plan_is_refused(refused: Refused, write_manifest: Any, run: Path) -> None:
    """Another plan's folder is refused with the key that changed, both its values and what to do, and left as it is."""
    before = tree(run)
    (found,) = refused("generate", write_manifest(seed=8), "--out", run)
    assert "seed: 7 -> 8" in found
    assert "--out" in found
    assert tree(run) == before


def test_another_batch_size_is_refused_to_a_run_that_began(refused: Refused, write_manifest: Any, run: Path) -> None:
    """A request that would change bytes within one run is refused with what the run was begun with."""
    next((run / "fake").glob("*.tar")).unlink()
    (found,) = refused("generate", write_manifest(), "--out", run, "--batch-size", "2")
    assert found.startswith("--batch-size 2: this run was begun with 5")


@pytest.mark.parametrize("command", ["verify", "pack", "preview", "reproduce"])
def test_a_folder_that_is_neither(command: str, refused: Refused, tmp_path: Path) -> None:
    """A folder that is neither a run nor a dataset is said to be that, and nothing is made of it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    options = {"verify": [], "pack": ["--out", tmp_path / "d"], "preview": ["--out", tmp_path / "p.html"]}
    arguments = options.get(command, ["a-key", "--out", tmp_path / "i.png"])
    (found,) = refused(command, folder, *arguments)
    assert f"{folder}: " in found
    assert "run.json" in found
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("what", ["run", "dataset"])
@pytest.mark.parametrize("key", ["fake-psoriasis-1-0000099", "fake-psoriasis-1-1", "nonsense", "../x"])
def test_reproduce_an_unknown_key(key: str, what: str, made: Path, refused: Refused, tmp_path: Path) -> None:
    """A key that nothing has is named, and no file is made."""
    (found,) = refused("reproduce", made / what, key, "--out", tmp_path / "again.png")
    assert f"`{key}`" in found
    assert not (tmp_path / "again.png").exists()


def test_reproduce_writes_over_nothing(made: Path, refused: Refused, tmp_path: Path) -> None:
    """A file that is there already stays as it is."""
    out = tmp_path / "again.png"
    out.write_bytes(b"mine")
    (found,) = refused("reproduce", made / "run", "fake-psoriasis-1-0000000", "--out", out)
    assert found == f"--out {out}: exists already; choose another name"
    assert out.read_bytes() == b"mine"


def test_preview_is_an_html_file(made: Path, refused: Refused, tmp_path: Path) -> None:
    """Another suffix is refused with a name that would do."""
    (found,) = refused("preview", made / "run", "--out", tmp_path / "page.txt")
    assert found.endswith("the gallery is an HTML file; name it page.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["page.html", "page.png"])
def test_preview_writes_over_nobody_s_file(name: str, made: Path, refused: Refused, tmp_path: Path) -> None:
    """A page or a picture that preview did not make is left alone, and nothing is left beside it."""
    (tmp_path / name).write_bytes(b"<html>mine</html>")
    (found,) = refused("preview", made / "run", "--out", tmp_path / "page.html")
    assert name in found
    assert "left alone" in found
    assert tree(tmp_path).keys() == {name}
    assert (tmp_path / name).read_bytes() == b"<html>mine</html>"


def test_preview_of_a_run_without_images(refused: Refused, write_manifest: Any, run: Path, tmp_path: Path) -> None:
    """A run that holds no image yet has nothing to show, and is told so."""
    for path in (run / "fake").iterdir():
        path.unlink()
    (found,) = refused("preview", run, "--out", tmp_path / "page.html")
    assert found == f"{run}: no image here yet"


def test_pack_over_a_foreign_folder(made: Path, refused: Refused, tmp_path: Path) -> None:
    """A folder that holds something else is left as it is."""
    out = tmp_path / "theirs"
    out.mkdir()
    (out / "data.csv").write_text("1,2")
    (found,) = refused("pack", made / "run", "--out", out)
    assert found == f"{out} is not empty and not a packed dataset; choose another folder"
    assert tree(tmp_path).keys() == {"theirs/data.csv"}


@pytest.mark.parametrize("name", ["dataset/data.csv", "preview.html", "preview.png"])
def test_run_over_foreign_files_is_refused_before_anything_is_made(
    name: str, write_manifest: Any, refused: Refused, tmp_path: Path
) -> None:
    """What is in the way of the last part is said before the first one begins."""
    path = tmp_path / "study" / name
    path.parent.mkdir(parents=True)
    path.write_text("theirs")
    (found,) = refused("run", write_manifest(), "--out", tmp_path / "study")
    assert str(path if path.suffix != ".csv" else path.parent) in found
    assert tree(tmp_path / "study").keys() == {name}


def test_pack_of_a_dataset_is_refused(made: Path, refused: Refused, tmp_path: Path) -> None:
    """A packed dataset is no run, and can't be packed again."""
    (found,) = refused("pack", made / "dataset", "--out", tmp_path / "again")
    assert "no run here" in found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"format": 99, "entries": {}}'])
def test_a_run_whose_own_file_is_broken(content: bytes, refused: Refused, run: Path) -> None:
    """A `run.json` that can't be read is one line that names it."""
    (run / "run.json").write_bytes(content)
    (found,) = refused("verify", run)
    assert "run.json" in found


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_a_dataset_whose_own_file_is_broken(content: bytes, refused: Refused, dataset: Path) -> None:
    """A `provenance.json` that can't be read is one line that names it."""
    (dataset / "provenance.json").write_bytes(content)
    (found,) = refused("verify", dataset)
    assert "provenance.json" in found


@pytest.mark.parametrize("name", ["metadata.parquet", "manifest.yaml", "prompts/prompts.yaml"])
def test_a_dataset_that_lacks_a_file(name: str, synthgen: Callable[..., Any], dataset: Path, tmp_path: Path) -> None:
    """Reproducing from a dataset that lost a file it takes is an error that names the file."""
    (dataset / name).unlink()
    said = synthgen("reproduce", dataset, "fake-psoriasis-1-0000000", "--out", tmp_path / "again.png")
    assert said.code in (1, 2)
    assert [line[:7] for line in said.err.splitlines()] == ["error: "]
    assert name in said.err
