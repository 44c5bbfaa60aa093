"""What of the Croissant standard is fixed: its context, its versions, and the fields that venues ask for.

They are read by ``pack``, which writes ``croissant.json``, and by ``publish``, which checks it.
"""

from typing import Any, Final

VERSION: Final = "http://mlcommons.org/croissant/1.1"
CONFORMS_TO: Final = (VERSION, "http://mlcommons.org/croissant/RAI/1.0")
RESPONSIBLE_AI: Final = (
    "rai:dataLimitations",
    "rai:dataBiases",
    "rai:personalSensitiveInformation",
    "rai:dataUseCases",
    "rai:dataSocialImpact",
    "rai:hasSyntheticData",
    "prov:wasDerivedFrom",
    "prov:wasGeneratedBy",
)
"""The eight fields without which NeurIPS 2026 flags a dataset
(https://neurips.cc/Conferences/2026/EvaluationsDatasetsHosting)."""
_CROISSANT = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field",
    "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
    "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
    "source", "subField", "transform",
)  # fmt: skip
CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{name: f"cr:{name}" for name in _CROISSANT},
}
"""The JSON-LD context of the specification's appendix, with PROV-O and the vocabulary for responsible AI."""


def page(repo: str) -> str:
    """The address of a dataset's page on the Hub."""
    return f"https://huggingface.co/datasets/{repo}"


def address(repo: str | None, name: str) -> str:
    """Where a file of a dataset is: on the Hub, or beside ``croissant.json`` where no repository is known."""
    return f"{page(repo)}/resolve/main/{name}" if repo else name
