"""Reads what a repository of the Hub, or a folder, says of itself in JSON, without its weights."""

import json
from pathlib import Path
from typing import Any

from synthgen.core import hub
from synthgen.core.model_folder import ModelFacts
from synthgen.diffusion.pipelines import UnreachableError
from synthgen.diffusion.pipelines.weight_files import Repository
from synthgen.errors import UnavailableError


class Configurations:
    """Reads the small JSON files of a repository.

    Args:
        model: What it is of.
        repository: Its commit and files.
        called: What messages call it.
    """

    def __init__(self, model: ModelFacts, repository: Repository, called: str = "model") -> None:
        self._model, self._repository, self._called = model, repository, called

    def __call__(self, path: str) -> dict[str, Any]:
        """The content of a file; empty where the repository lists none of that name.

        Raises:
            UnavailableError: It is not JSON, or the Hub does not give it.
            UnreachableError: The Hub can't be reached any more.
        """
        if path not in self._repository.files:
            return {}
        name = self._model.name
        try:
            content = json.loads(self._file(path).read_bytes())
        except (ValueError, OSError) as error:
            raise UnavailableError(f"{self._called} {name}: {path} can't be read: {error}") from None
        if not isinstance(content, dict):
            raise UnavailableError(f"{self._called} {name}: {path} is no JSON object")
        return content

    def _file(self, path: str) -> Path:
        if self._repository.folder is not None:
            return self._repository.folder / path
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

        name = self._model.name
        try:
            return Path(hf_hub_download(name, path, revision=self._repository.revision))
        except GatedRepoError:
            raise UnavailableError(
                f"{self._called} {name}: gated; accept its terms at https://huggingface.co/{name} and log in with "
                "`hf auth login`"
            ) from None
        except (LocalEntryNotFoundError, hub.http_error(), OSError) as error:
            raise UnreachableError(f"{self._called} {name}: {path}: {error}") from None
