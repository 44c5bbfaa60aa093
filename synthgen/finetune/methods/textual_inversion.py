"""A new word for each label, its embedding learned and nothing else (Gal et al. 2022), as Akrout et al. 2023 do."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from synthgen.core import weight_file
from synthgen.diffusion import pipelines
from synthgen.errors import InputError
from synthgen.finetune.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Embedding, Module, Parameter, ParameterList

__all__ = ["Settings", "learner"]


class Settings(TrainingSettings):
    """The settings of a training run, and of the word.

    Attributes:
        placeholder_token: The new word, which prompts use in place of the label's own; ``{label}`` is the label.
        initializer_token: The words whose embeddings it starts from, their mean; the label's own where left out.
        num_vectors: How many embeddings it has.
    """

    families: ClassVar[tuple[pipelines.Family, ...]] = ("StableDiffusion",)

    learning_rate: Annotated[float, Field(gt=0)] = 5e-4
    adam_weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    placeholder_token: Annotated[str, Field(pattern=r"^<[a-z0-9{}-]+>$")] = "<{label}>"  # noqa: S105 - a word, not a secret
    initializer_token: str = ""
    num_vectors: Annotated[int, Field(ge=1, le=32)] = 1

    def words(self, label: str) -> str:
        """The new word of a label."""
        return self.placeholder_token.replace("{label}", label)


class _NewEmbeddings:
    """New rows of a text encoder's table of embeddings; all others stay as they are.

    Args:
        pipe: The pipeline.
        settings: The settings.
        words: The own words of each label.
    """

    reads_text = True

    def __init__(self, pipe: Any, settings: Settings, words: Mapping[str, str]) -> None:
        tokenizer, encoder = pipe.tokenizer, pipe.text_encoder
        self._tokens = [settings.words(label) for label in words]
        table = encoder.get_input_embeddings()
        first, rows = len(tokenizer), []
        for token, own in zip(self._tokens, words.values(), strict=True):
            start = tokenizer(settings.initializer_token or own, add_special_tokens=False).input_ids
            names = [token, *(f"{token}_{place}" for place in range(1, settings.num_vectors))]
            if tokenizer.add_tokens(names) != len(names):
                raise InputError(f"settings.placeholder_token: the model knows `{token}` already; choose another")
            rows.append(table.weight[start].detach().mean(dim=0).repeat(settings.num_vectors, 1))
        self._table, self._rows = _table(table, first, rows)
        encoder.set_input_embeddings(self._table)
        self.networks = {"text_encoder": encoder}

    def parameters(self) -> "dict[str, Parameter]":
        """The new embeddings, each of shape (num_vectors, width)."""
        return dict(zip(self._tokens, self._rows, strict=True))

    def save(self, folder: Path) -> None:
        """Write one file a word, each of which ``load_textual_inversion`` loads."""
        for token, rows in self.parameters().items():
            name = "learned_embeds" if len(self._tokens) == 1 else f"learned_embeds-{token.strip('<>')}"
            weight_file.save({token: rows.detach().cpu().contiguous()}, folder / f"{name}.safetensors")


def _table(old: "Embedding", first: int, rows: "list[Tensor]") -> "tuple[Module, ParameterList]":
    """A table of embeddings whose ids from ``first`` on are looked up in rows of their own, and these rows."""
    import torch

    class Table(torch.nn.Module):
        """The old table, frozen, and the new rows behind it."""

        def __init__(self) -> None:
            super().__init__()
            self.old = old.requires_grad_(False)
            self.rows = torch.nn.ParameterList([row.float().clone() for row in rows])

        @property
        def weight(self) -> torch.Tensor:
            """The whole table."""
            return torch.cat([self.old.weight[:first], *(row.to(self.old.weight.dtype) for row in self.rows)])

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            """The embedding of each id."""
            return torch.nn.functional.embedding(ids, self.weight)

    table = Table()
    return table, table.rows


def learner(pipe: Any, settings: Settings, words: Mapping[str, str]) -> _NewEmbeddings:
    """Teach the pipeline's tokenizer and text encoder a new word for each label."""
    return _NewEmbeddings(pipe, settings, words)
