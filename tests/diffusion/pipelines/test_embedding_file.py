"""Distinct prompts are encoded once for a run, and its images are those of a pipeline with text encoders."""

from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.core.devices import DeviceRequest
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import Pipeline, embedding_file, loading
from synthgen.diffusion.pipelines.embedding_file import FOLDER, EmbeddingFile
from synthgen.diffusion.pipelines.prompt_embeddings import PromptEmbeddings, TextEncodersApart, encode
from synthgen.errors import InputError, UnavailableError
from synthgen.generate.loaded_entry import load_entry
from synthgen.generate.run_prompts import run_prompts
from synthgen.runs import run_folder
from synthgen.runs.start_images import of_run

pytestmark = pytest.mark.slow

CPU = DeviceRequest("cpu", "fp32", batch_size=2)
Load = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _nothing_loaded() -> None:
    pipelines.release()


@pytest.fixture
def planned(tiny_model: Callable[[str], Path], make_plan: Callable[..., Any]) -> Callable[..., Any]:
    """Plans a few images of a tiny model of a family."""

    def plan(family: str, per_cell: int = 1, **settings: Any) -> Any:
        own = {"scheduler": "default"} if family in ("sd3", "flux") else {}
        size = {"num_inference_steps": 1, "guidance_scale": 3.0, "height": 32, "width": 32}
        entry = {"name": "a", "strategy": "text2img", "per_cell": per_cell, "settings": size | own | settings}
        return make_plan(model=str(tiny_model(family)), labels={"melanoma": "melanoma"}, generate=[entry])

    return plan


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads the entry of a plan as a worker does, from nothing."""

    def loaded(plan: Any) -> Any:
        pipelines.release()
        run_folder.reserve(tmp_path, plan)
        entry = plan.entries["a"]
        return load_entry(
            entry, entry.recipe, root=tmp_path, request=CPU, output=plan.manifest.document.output,
            start_images=of_run(plan, tmp_path), prompts=run_prompts(plan, tmp_path, entry.recipe),
        )  # fmt: skip

    return loaded


@pytest.fixture
def encoders_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line each time that text encoders are read."""
    seen, read = list[str](), loading.load_text_encoders
    monkeypatch.setattr(loading, "load_text_encoders", lambda *a, **k: seen.append("read") or read(*a, **k))
    return seen


def _file(root: Path) -> Path:
    (path,) = (root / FOLDER).glob("*.safetensors")
    return path


@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3", "flux"])
def test_images_are_those_of_a_pipeline_with_text_encoders(
    family: str, planned: Callable[..., Any], load: Load, encoders_read: list[str], tmp_path: Path
) -> None:
    """Whoever makes the file, and whoever finds it, which reads no text encoder."""
    plan = planned(family)
    entry = plan.entries["a"]
    samples = [entry.sample(0), entry.sample(1)]
    whole = pipelines.load_diffusers("text2img", entry.recipe.model, "", "float32")
    expected = Pipeline(whole, "float32").text2img(samples).pixels
    for reads in (1, 1):
        loaded = load(plan)
        assert len(encoders_read) == reads
        pipe = pipelines.loaded("text2img", loaded.environment).pipe  # type: ignore[union-attr]
        assert not [name for name, part in pipe.components.items() if name.startswith("text_enc") and part is not None]
        assert np.array_equal(loaded.maker(samples).pixels, expected)
    rows = EmbeddingFile(_file(tmp_path))
    asked = {sample.prompt for sample in entry} | ({samples[0].negative_prompt} if family != "flux" else set())
    assert asked <= set(rows)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "receipt"])
def test_what_is_damaged_is_made_again(
    damage: str, planned: Callable[..., Any], load: Load, encoders_read: list[str], tmp_path: Path
) -> None:
    """The same bytes lie there again."""
    plan = planned("sd")
    load(plan)
    path = _file(tmp_path)
    before = path.read_bytes()
    if damage == "flip":
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    elif damage == "cut":
        path.write_bytes(before[:-100])
    else:
        (path if damage == "remove" else path.with_suffix(".json")).unlink()
    load(plan)
    assert encoders_read == ["read", "read"]
    assert path.read_bytes() == before


def test_a_plan_that_has_grown_encodes_what_is_new_alone(
    planned: Callable[..., Any], load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The rows that there were stay to the bit."""
    load(planned("sd"))
    before = {text: dict(row) for text, row in EmbeddingFile(_file(tmp_path)).items()}
    seen = list[str]()
    from synthgen.diffusion.pipelines import prompt_embeddings

    def counted(pipe: Any, texts: list[str]) -> Any:
        seen.extend(texts)
        return encode(pipe, texts)

    monkeypatch.setattr(prompt_embeddings, "encode", counted)
    load(planned("sd", per_cell=6))
    after = EmbeddingFile(_file(tmp_path))
    assert len(after) > len(before)
    assert not set(seen) & set(before)
    assert all(row[name].equal(after[text][name]) for text, row in before.items() for name in row)


def test_a_prompt_that_no_plan_foresaw_is_encoded_when_it_comes(
    planned: Callable[..., Any], load: Load, encoders_read: list[str]
) -> None:
    """As of a retry, or of a strategy of one's own; once, on a CPU and for small encoders."""
    plan = planned("sd")
    loaded = load(plan)
    sample = replace(plan.entries["a"].sample(0), prompt="a photo of nothing of the kind")
    assert not np.array_equal(loaded.maker([sample] * 2).pixels, loaded.maker([plan.entries["a"].sample(0)] * 2).pixels)
    long = replace(sample, prompt="skin " * 200)
    with pytest.raises(InputError, match="and would drop the rest"):
        loaded.maker([long] * 2)
    assert encoders_read == ["read"]


def test_too_many_prompts_are_encoded_as_they_come(
    planned: Callable[..., Any], load: Load, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:  # fmt: skip
    """It is said, and no file is written."""
    plan = planned("sd")
    samples = [plan.entries["a"].sample(0), plan.entries["a"].sample(1)]
    expected = load(plan).maker(samples).pixels
    for path in (tmp_path / FOLDER).iterdir():
        path.unlink()
    monkeypatch.setattr(embedding_file, "MOST_BYTES", 1000)
    with caplog.at_level("WARNING"):
        loaded = load(plan)
    assert "text encoders stay loaded" in caplog.text
    assert not list((tmp_path / FOLDER).glob("*.safetensors"))
    assert np.array_equal(loaded.maker(samples).pixels, expected)


def endless(*, most: int = 10_000) -> Iterator[str]:
    """More texts than anybody should look at."""
    for number in range(most):
        yield f"a photo of skin, {number}"
    raise AssertionError("all texts were looked at")


@pytest.fixture
def filled(planned: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Gives a worker of its own the prompts of a run, by text encoders that are read once."""
    whole = pipelines.load_diffusers("text2img", planned("sd").entries["a"].recipe.model, "", "float32")

    def fill(texts: Callable[[], Iterator[str]], digest: str = "plan", encoders: Any = None) -> Any:
        embeddings = PromptEmbeddings(whole, encoders and encoders(whole))
        pipelines.RunPrompts(tmp_path, digest, texts).fill(embeddings, {"model": "a model"})
        return embeddings

    return fill


def test_prompts_are_counted_up_to_what_there_is_room_for(
    filled: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """What a row takes is asked of one; who comes next reads the verdict, of the same plan and the same room alone."""
    from synthgen.core import seal

    few = lambda: iter(["b", "a", "b", "c"])  # noqa: E731
    assert set(filled(few, "small").encoded) == {"a", "b", "c"}
    path = _file(tmp_path)
    before = path.read_bytes()
    row = sum(value.nbytes for value in EmbeddingFile(path)["a"].values())
    monkeypatch.setattr(embedding_file, "MOST_BYTES", 20 * row + 1)
    with caplog.at_level("WARNING"):
        assert set(filled(endless).encoded) == {"a", "b", "c"}
    assert "more than 20 distinct prompts" in caplog.text
    assert path.read_bytes() == before
    content = path.with_suffix(".too_many.json").read_bytes()
    assert not seal.has_changed(content)
    told = seal.loads(content)
    assert {key: told[key] for key in ("plan", "too_many", "row_bytes", "most_bytes")} == {
        "plan": "plan", "too_many": 20, "row_bytes": row, "most_bytes": 20 * row + 1,
    }  # fmt: skip

    def never() -> Iterator[str]:
        raise AssertionError("counted again")

    assert set(filled(never).encoded) == {"a", "b", "c"}
    assert set(filled(never, "small").encoded) == {"a", "b", "c"}
    monkeypatch.setattr(embedding_file, "MOST_BYTES", 2 * row)
    assert set(filled(lambda: iter("cd"), "others").encoded) == {"c", "d"}  # no room for those of before too
    for changed, room in (("room", 21 * row), ("plan", 20 * row + 1), ("damage", 20 * row + 1)):
        monkeypatch.setattr(embedding_file, "MOST_BYTES", room)
        if changed == "damage":
            path.with_suffix(".too_many.json").write_bytes(content.replace(b"20", b"30"))
        with pytest.raises(AssertionError, match="counted again"):
            filled(never, "other" if changed == "plan" else "plan")


def test_a_first_worker_of_too_many_prompts_reads_its_text_encoders_once(
    filled: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They stay; and a text that is too long is refused where it is among those that were counted."""
    reads = list[int]()
    monkeypatch.setattr(embedding_file, "MOST_BYTES", 100_000)

    def apart(whole: Any) -> TextEncodersApart:
        return TextEncodersApart(lambda: reads.append(1) or whole, "cpu")

    filled(endless, encoders=apart)(["something else"])
    assert reads == [1]
    assert not list((tmp_path / FOLDER).glob("*.safetensors"))
    with pytest.raises(InputError, match="and would drop the rest"):
        filled(lambda: iter(["short", "skin " * 200, *map(str, range(1000))]), "long")


@pytest.mark.parametrize("fault", ["memory", "disk"])
def test_what_goes_wrong_while_prompts_are_encoded_is_told_as_it_is(
    fault: str, planned: Callable[..., Any], load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is a model that can't be loaded, nor a batch of images that is too large."""
    import errno

    import torch

    from synthgen.core import weight_file
    from synthgen.diffusion.pipelines import prompt_embeddings

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory") if fault == "memory" else OSError(errno.ENOSPC, "full")

    plan = planned("sd")
    loaded = load(plan)
    monkeypatch.setattr(*(prompt_embeddings, "encode") if fault == "memory" else (weight_file, "save"), full)
    kind = UnavailableError if fault == "memory" else OSError
    with pytest.raises(kind, match=r"no memory to encode prompts|full") as told:
        load(planned("sd", per_cell=12))
    assert "can't be loaded" not in str(told.value)
    if fault == "memory":
        sample = replace(plan.entries["a"].sample(0), prompt="a photo of nothing of the kind")
        with pytest.raises(UnavailableError, match="no memory to encode prompts"):
            loaded.maker([sample] * 2)


def test_text_encoders_wait_outside_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large ones that were asked for once are let go of; who asks again finds them kept."""
    moves, reads = list[str](), list[int]()

    class Encoders:
        def to(self, device: str) -> "Encoders":
            moves.append(device)
            return self

    def read() -> Any:
        reads.append(1)
        return Encoders()

    from synthgen.diffusion.pipelines import prompt_embeddings

    apart = prompt_embeddings.TextEncodersApart(read, "meta")
    weights = prompt_embeddings._SMALL_BYTES + 1
    monkeypatch.setattr(prompt_embeddings, "_weights", lambda _: weights)
    for _ in range(3):
        with apart():
            assert moves[-1] == "meta"
    assert len(reads) == 2
    assert moves == ["meta", "meta", "cpu", "meta", "cpu"]


def _text_lora(pipe: Any, folder: Path) -> None:
    """A LoRA on the UNet and on the text encoder."""
    import torch
    from peft import LoraConfig, get_peft_model_state_dict

    weights = {}
    for name in ("unet", "text_encoder"):
        part = getattr(pipe, name)
        part.add_adapter(LoraConfig(r=2, target_modules=["to_q"] if name == "unet" else ["q_proj"]))
        for key, value in part.named_parameters():
            value.data = torch.ones_like(value) * 0.1 if "lora_" in key else value.data
        weights[f"{name}_lora_layers"] = get_peft_model_state_dict(part)
    type(pipe).save_lora_weights(folder, **weights)


def _word(pipe: Any, folder: Path) -> None:
    """Learned embeddings of a word."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    save_file(
        {"<m>": torch.ones(2, pipe.text_encoder.config.hidden_size)}, folder / "learned_embeds-melanoma.safetensors"
    )


@pytest.mark.parametrize(("method", "write"), [("lora", _text_lora), ("textual-inversion", _word)])
def test_what_an_adapter_does_to_words_is_in_the_file(
    method: str, write: Callable[..., None], planned: Callable[..., Any], tmp_path: Path
) -> None:
    """A LoRA on a text encoder, and words that are learned: images are those of the whole pipeline with it."""
    from synthgen.core.adapter_folder import Adapter
    from synthgen.diffusion import strategies
    from synthgen.diffusion.pipelines import RunPrompts, prompts_of

    plan = planned("sd")
    recipe, sample = plan.entries["a"].recipe, plan.entries["a"].sample(0)
    write(pipelines.load_diffusers("text2img", recipe.model, "", "float32"), tmp_path / "adapter")
    adapter = Adapter("x", "0" * 64, method, None, folder=tmp_path / "adapter")
    recipe = replace(recipe, adapter=adapter)
    samples = [replace(sample, recipe=recipe, prompt="a photo of <m>")] * 2
    whole = pipelines.load_diffusers("text2img", recipe.model, "", "float32", adapter, fused=method == "lora")
    environment = strategies.environment(recipe, CPU, 48)
    texts = [samples[0].prompt, samples[0].negative_prompt]
    with prompts_of(RunPrompts(tmp_path, "digest", lambda: texts)):
        found = pipelines.load("text2img", recipe, environment)
    assert set(found.embeddings.encoded) == set(texts)
    assert np.array_equal(found.text2img(samples).pixels, Pipeline(whole, "float32").text2img(samples).pixels)


class Moved:
    """A pipeline of no parts that notes where it is brought."""

    components: dict[str, Any] = {}

    def __init__(self, name: str, seen: list[str], full: Container[str] = ()) -> None:
        self._name, self._seen, self._full = name, seen, full

    def to(self, device: str, **_options: Any) -> "Moved":
        """Itself, elsewhere."""
        import torch

        assert not torch.is_inference_mode_enabled()
        if device in self._full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self._seen.append(f"{self._name} to {device}")
        return self


def test_a_card_holds_the_model_or_its_text_encoders() -> None:
    """While texts are encoded the rest is away, after a fault too; on a CPU, and beside those that stay, it is not."""
    seen = list[str]()
    encoders = TextEncodersApart(lambda: Moved("text", seen), "cuda", Moved("model", seen))
    with pytest.raises(ValueError, match="no memory"), encoders():
        raise ValueError("no memory")
    assert seen == ["model to cpu", "text to cuda", "text to cpu", "model to cuda"]
    encoders.stays = True
    with encoders():
        pass
    assert seen[4:] == ["text to cuda"]
    seen.clear()
    with TextEncodersApart(lambda: Moved("text", seen), "cpu", Moved("model", seen))():
        pass
    assert not [one for one in seen if one.startswith("model")]


def test_text_encoders_that_can_not_be_read_leave_the_model_where_it_was() -> None:
    """And the fault is the one that reading gave."""
    seen = list[str]()

    def broken() -> Any:
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"), TextEncodersApart(broken, "cuda", Moved("model", seen))():
        pass
    assert seen == ["model to cpu", "model to cuda"]


def test_no_memory_on_the_way_back_does_not_hide_what_went_wrong_first() -> None:
    """The first fault is raised; and the model counts as one that has to be read anew."""
    encoders = TextEncodersApart(lambda: Moved("text", []), "cuda", Moved("model", [], full={"cuda"}))
    with pytest.raises(ValueError, match="too long"), encoders():
        raise ValueError("too long")
    assert encoders.displaced
    embeddings = PromptEmbeddings(Moved("model", []), encoders)
    with pytest.raises(UnavailableError, match="no memory to encode prompts"), embeddings.encoding():
        pass


def test_weights_move_outside_inference_mode() -> None:
    """As in the call of a pipeline that meets a text which no plan foresaw: such weights could be used by no other."""
    import torch

    seen = list[str]()
    with torch.inference_mode(), TextEncodersApart(lambda: Moved("text", seen), "cuda", Moved("model", seen))():
        assert torch.is_inference_mode_enabled()
    assert seen == ["model to cpu", "text to cuda", "text to cpu", "model to cuda"]


@pytest.mark.parametrize(("memory", "moves"), [("", True), ("fp8", True), ("offload", False)])
def test_text_encoders_take_the_place_of_what_can_be_moved(
    memory: Any, moves: bool, planned: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a denoiser in fp8 as well; one that hooks bring layer by layer is no burden, and can't be moved."""
    from synthgen.diffusion import strategies
    from synthgen.diffusion.pipelines import loaded_model

    recipe, seen = planned("sd").entries["a"].recipe, list[Any]()
    environment = replace(strategies.environment(recipe, CPU, 48), memory=memory)
    monkeypatch.setattr(loaded_model, "place", lambda *_: None)

    def noted(read: Any, device: str, beside: Any) -> TextEncodersApart:
        seen.append(beside)
        return TextEncodersApart(read, device, beside)

    monkeypatch.setattr(loaded_model, "TextEncodersApart", noted)
    found = pipelines.load("text2img", recipe, environment)
    assert seen == [found.pipe if moves else None]
