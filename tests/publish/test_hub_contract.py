"""The calls that publishing makes of huggingface_hub fit the version that is installed."""

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from synthgen import publish
from synthgen.publish import hub_repo

FOLDER = Path(publish.__file__).parent


def imported(tree: ast.Module) -> dict[str, Any]:
    """What a module takes from huggingface_hub, by name."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("huggingface_hub"):
            module = importlib.import_module(str(node.module))
            found |= {alias.name: getattr(module, alias.name) for alias in node.names}
    return found


def calls(path: Path) -> list[tuple[str, Any, int, list[str]]]:
    """Every call of the client or of huggingface_hub's own names: name, callable, positional arguments, keywords."""
    tree, found = ast.parse(path.read_text(encoding="utf-8")), []
    names = imported(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        keywords = [str(keyword.arg) for keyword in node.keywords]
        match node.func:
            case ast.Attribute(value=ast.Attribute(attr="_api"), attr=name):  # as a method: self comes first
                found.append((name, getattr(HfApi, name), len(node.args) + 1, keywords))
            case ast.Name(id=name) if name in names:
                found.append((name, names[name], len(node.args), keywords))
    return found


CALLS = calls(Path(hub_repo.__file__))


@pytest.mark.parametrize(("name", "function", "positional", "keywords"), CALLS, ids=[call[0] for call in CALLS])
def test_a_call_fits_the_installed_signature(name: str, function: Any, positional: int, keywords: list[str]) -> None:
    """The parameters exist, those given by name under that name, and none is missing that has no default."""
    inspect.signature(function).bind(*[None] * positional, **dict.fromkeys(keywords))


def test_all_calls_are_seen() -> None:
    """The list is not empty because the file calls its client by another name now."""
    methods = {name for name, function, _, _ in CALLS if getattr(HfApi, name, None) is function}
    assert methods >= {"create_commit", "preupload_lfs_files", "list_repo_tree", "merge_pull_request", "create_tag"}


def test_the_client_is_called_in_one_file_alone() -> None:
    """No other file of the package knows the client or its operations."""
    knowing = set()
    for path in FOLDER.glob("*.py"):
        names = imported(ast.parse(path.read_text(encoding="utf-8")))
        if {"HfApi", "CommitOperationAdd", "CommitOperationDelete"} & set(names):
            knowing.add(path.name)
    assert knowing == {"hub_repo.py"}
