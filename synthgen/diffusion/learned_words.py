"""Whether a learned embedding's word is in any prompt: without it the embedding is loaded, and changes nothing."""

from collections.abc import Iterator

from synthgen.core import adapter_folder
from synthgen.core.adapter_folder import Adapter
from synthgen.diffusion.pipelines.weight_files import shapes
from synthgen.errors import UnavailableError
from synthgen.plan.entry import EntryPlan

_LOOKED_AT = 2000  # samples: of prompts that are drawn, all templates have come many times by then


def check(entry: EntryPlan) -> None:
    """Refuse an entry none of whose prompts has a word that its learned embeddings stand for.

    Adapters that synthgen trained put their word into the prompts themselves.

    Raises:
        UnavailableError: One has none; the words are named.
    """
    for adapter in dict.fromkeys(one for one in entry.adapters.values() if one):
        words = list(_words(adapter))
        if words and not any(word in prompt for prompt in _prompts(entry, adapter) for word in words):
            listed = ", ".join(f"`{word}`" for word in words[:3])
            raise UnavailableError(
                f"entry `{entry.name}`: no prompt has the word {listed} that adapter {adapter} stands for, so it "
                "would change nothing; put it into the words of a label or into `prompts`"
            )


def _words(adapter: Adapter) -> Iterator[str]:
    if adapter.folder is not None and adapter.loads_as == "textual-inversion" and not adapter.words:
        for path in adapter_folder.embedding_files(adapter.folder):
            yield from shapes(path)


def _prompts(entry: EntryPlan, adapter: Adapter) -> Iterator[str]:
    for index in range(min(entry.samples, _LOOKED_AT)):
        sample = entry.sample(index)
        if sample.recipe.adapter == adapter:
            yield from (sample.prompt, sample.negative_prompt)
