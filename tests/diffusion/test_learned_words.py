"""What diffusers' textual_inversion.py leaves is loaded, and a word that no prompt has is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import generate
from synthgen.core import adapter_folder
from synthgen.errors import UnavailableError


@pytest.mark.parametrize(
    ("names", "loaded"),
    [
        (["learned_embeds", "learned_embeds-steps-500"], ["learned_embeds"]),
        (["learned_embeds-steps-500", "learned_embeds-steps-1500"], ["learned_embeds-steps-1500"]),
        (["learned_embeds-melanoma", "learned_embeds-nevus"], ["learned_embeds-melanoma", "learned_embeds-nevus"]),
        (["learned_embeds-steps-x", "learned_embeds"], ["learned_embeds-steps-x", "learned_embeds"]),
    ],
)
def test_the_last_of_a_training_is_loaded(names: list[str], loaded: list[str], tmp_path: Path) -> None:
    """Not the steps on the way to it, which stand for the same word; embeddings of several words each."""
    for name in names:
        (tmp_path / f"{name}.safetensors").touch()
    assert [path.stem for path in adapter_folder.embedding_files(tmp_path)] == loaded


@pytest.fixture
def plan(make_plan: Callable[..., Any], tmp_path: Path) -> Callable[[str], Any]:
    """Plans an entry with an embedding of `<mole>`, whose one label has the words that are given."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "embedding"
    folder.mkdir()
    save_file({"<mole>": torch.zeros(128)}, folder / "learned_embeds.safetensors")

    def planned(words: str) -> Any:
        entry = {"name": "a", "strategy": "text2img", "adapter": str(folder), "per_cell": 1}
        return make_plan(labels={"nevus": words}, generate=[entry])

    return planned


def test_a_word_that_no_prompt_has_is_refused(plan: Callable[[str], Any], tmp_path: Path) -> None:
    """Before anything is made, with the word; a prompt that has it is enough."""
    with pytest.raises(UnavailableError, match=r"entry `a`: no prompt has the word `<mole>`"):
        generate.prepare(plan("nevus"), tmp_path / "one")
    assert generate.prepare(plan("a <mole> nevus"), tmp_path / "other").todo
