"""Checks the entries of ``generate``, each as far as what it needs of the document is sound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core.ip_adapter import IpAdapter
from synthgen.core.model_folder import ModelFacts
from synthgen.core.model_parts import Accelerator, Autoencoder, ControlNet, ImageEncoder
from synthgen.core.yaml_documents import near, validate
from synthgen.errors import Fault, InputError, ManifestError
from synthgen.plan.manifest import finetune, model_parts
from synthgen.plan.manifest.finetune import AdapterChoice, FinetuneEntry
from synthgen.plan.manifest.schema import SkinTones, SourcePool, Weights
from synthgen.plan.manifest.settings import Extensions, StrategySettings

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GenerateEntry:
    """One entry of ``generate``, checked: its strategy is known, its settings fit its model.

    Attributes:
        name: Its name; its strategy's where it has none of its own.
        strategy: The name of the plug-in that makes its images.
        model: What is known of its model.
        revision: The commit or tag asked of a Hub id; empty for its newest.
        settings: The strategy's settings, sizes filled in.
        per_cell: Images of each label and tone; ``None`` where it is counted otherwise, as with the next three.
        total: Images in all, shared out by weights.
        per_source: Images a real image.
        source_pool: Which real images, where not every one of the training split.
        parent: The entry whose images it starts from, one for one.
        weights: Relative counts of cells.
        target_label: The label to turn every source image into; ``None`` for the source's own.
        source_label: The label of the real images that it starts from; ``None`` for any.
        adapter: The adapter that is loaded on top of the model; ``None`` for none.
        accelerator: The few-step adapter that is loaded on top of both; ``None`` for none.
        autoencoder: What takes the place of the model's own; ``None`` for nothing.
        controlnet: What guides the model by an image; ``None`` for nothing.
        ip_adapter: What has the model read an image as it reads the prompt; ``None`` for nothing.
        image_encoder: What encodes that image, where it does not come with the IP-Adapter; ``None`` where it does.
    """

    name: str
    strategy: str
    model: ModelFacts
    revision: str
    settings: StrategySettings
    per_cell: int | None
    total: int | None
    per_source: int | None
    source_pool: SourcePool | None
    parent: str | None
    weights: Weights
    target_label: str | None
    adapter: AdapterChoice | None = None
    accelerator: Accelerator | None = None
    autoencoder: Autoencoder | None = None
    source_label: str | None = None
    controlnet: ControlNet | None = None
    ip_adapter: IpAdapter | None = None
    image_encoder: ImageEncoder | None = None


def entry_name(entry: Part) -> str | None:
    """The entry's name: its own, or its strategy's where it has none; ``None`` where that can't be told."""
    if "name" not in entry:
        return None
    name: str | None = entry.get("strategy") if entry["name"] is None else entry["name"]
    return name


class EntryCheck:
    """The check of one entry; ``entry`` is what it gave, ``None`` where something that it needs is at fault.

    Args:
        document: The sound fields of the document.
        entries: The sound fields of every entry.
        number: Which of them is checked.
        base: The folder that relative paths start from.
        extensions: The strategies there are.
        finetune_entries: The entries of ``finetune``, as far as they are sound.
        real_has_masks: Whether masks come with the real images, as far as can be told.
    """

    def __init__(
        self,
        document: Part,
        entries: Sequence[Part],
        number: int,
        *,
        base: Path,
        extensions: Extensions,
        finetune_entries: Sequence[FinetuneEntry],
        real_has_masks: bool,
    ) -> None:
        self.faults: list[Fault] = []
        self._real_has_masks = real_has_masks
        self._finetune_entries = finetune_entries
        self._document, self._entries, self._number = document, entries, number
        self._written, self._path, self._strategies = entries[number], f"generate[{number}]", extensions.strategies
        strategy: str | None = self._written.get("strategy")
        self._strategy = None if strategy is None else self._strategies.named(strategy)
        self._kind = self._find_strategy()
        self._adapter = self._find_adapter(base)
        self._check_weights()
        facts, revision = self._model(base)
        self._accelerator = self._find_accelerator(base)
        self._autoencoder = self._find_autoencoder(base, facts)
        self._controlnet = self._find_controlnet(base)
        self._ip_adapter, self._image_encoder = self._find_ip_adapter(base)
        settings = self._settings(facts)
        self._check_counts()
        self._check_parent()
        self._check_target()
        starts = any(self._written.get(key, 0) is not None for key in ("per_source", "parent"))
        if settings is not None and settings.needs_source and not starts:
            self._fault("", f"{settings.needs_source}; give `per_source`, or `from` and an entry's name", "missing")
        elif settings is not None and settings.reads_mask and not self._has_mask(number):
            shape = "settings.mask.shape"
            said = "`source` needs real images with masks; name their column in `real.columns.mask`"
            self._fault(shape, said, "missing")
        if settings is not None and settings.draws_mask and not self._real_has_masks:
            said = "`pool` needs real images with masks; name their column in `real.columns.mask`"
            self._fault("settings.mask.from", said, "missing")
        self.entry = self._made(facts, revision, settings)

    def _made(self, facts: ModelFacts | None, revision: str, settings: StrategySettings | None) -> GenerateEntry | None:
        name = entry_name(self._written)
        if settings is None or facts is None or name is None or self._strategy is None:
            return None
        parts = {
            "adapter": self._adapter,
            "accelerate": self._accelerator,
            "vae": self._autoencoder,
            "controlnet": self._controlnet,
            "ip_adapter": self._ip_adapter,
            "image_encoder": self._image_encoder,
        }
        if any(self._written.get(key) is not None and part is None for key, part in parts.items()):
            return None
        keys = ("per_cell", "total", "per_source", "source_pool", "parent", "target_label", "source_label")
        counts = {key: self._written.get(key) for key in keys}
        weights = self._written.get("weights") or Weights()
        return GenerateEntry(
            name,
            self._strategy,
            facts,
            revision,
            settings,
            weights=weights,
            adapter=self._adapter,
            accelerator=self._accelerator,
            autoencoder=self._autoencoder,
            controlnet=self._controlnet,
            ip_adapter=self._ip_adapter,
            image_encoder=self._image_encoder,
            **counts,
        )

    def _fault(self, key: str, message: str, kind: str) -> None:
        self.faults.append(Fault.at(f"{self._path}.{key}" if key else self._path, message, kind))

    def _find_strategy(self) -> type[StrategySettings] | None:
        if self._strategy is None:
            return None
        try:
            kind: type[StrategySettings] = self._strategies.module(self._strategy).Settings
        except InputError as error:
            here = f"{self._path}.strategy"
            self.faults += [fault if fault.path else fault.within(here) for fault in error.faults]
            return None
        return kind

    def _model(self, base: Path) -> tuple[ModelFacts | None, str]:
        """The entry's model: its own, else the one that its adapter was trained on, else the manifest's."""
        trained = self._adapter.entry if self._adapter else None
        if trained is not None and self._written.get("model", "") is None:
            return trained.model, trained.revision
        facts, revision = finetune.model(self._document, self._written, self._path, base, self.faults)
        if trained is not None and facts is not None and (facts, revision) != (trained.model, trained.revision):
            said = f"adapter `{trained.name}` is trained on `{trained.model.name}`; leave `model` out here"
            self._fault("model", said, "conflict")
            return None, revision
        return facts, revision

    def _find_adapter(self, base: Path) -> AdapterChoice | None:
        name, labels = self._written.get("adapter"), list(self._document.get("labels", {}))
        if name is None or not labels:
            return None
        try:
            return finetune.choose(name, self._finetune_entries, self._document.get("finetune", []), labels, base)
        except ManifestError as error:
            for fault in error.faults:
                self._fault("adapter", fault, fault.kind)
            return None

    def _find_accelerator(self, base: Path) -> Accelerator | None:
        written = self._written.get("accelerate")
        if written is None:
            return None
        found, faults = model_parts.accelerator(written, self._kind, self._written.get("settings", {}), base)
        self.faults += [fault.within(f"{self._path}.accelerate") for fault in faults]
        return found

    def _find_autoencoder(self, base: Path, facts: ModelFacts | None) -> Autoencoder | None:
        written = self._written.get("vae")
        if written is None:
            return None
        found, faults = model_parts.autoencoder(written, self._kind, facts, base)
        self.faults += [fault.within(f"{self._path}.vae") for fault in faults]
        return found

    def _find_controlnet(self, base: Path) -> ControlNet | None:
        if "controlnet" not in self._written:  # it is there, and at fault
            return None
        found, faults = model_parts.controlnet(self._written["controlnet"], self._kind, base)
        self.faults += [fault.within(f"{self._path}.controlnet") for fault in faults]
        return found

    def _find_ip_adapter(self, base: Path) -> tuple[IpAdapter | None, ImageEncoder | None]:
        if not {"ip_adapter", "image_encoder"} <= self._written.keys():  # one is there, and at fault
            return None, None
        written = self._written["ip_adapter"], self._written["image_encoder"]
        adapter, encoder, faults = model_parts.ip_adapter(*written, self._kind, base)
        self.faults += [fault.within(self._path) for fault in faults]
        return adapter, encoder

    def _settings(self, facts: ModelFacts | None) -> StrategySettings | None:
        if self._kind is None:
            return None
        accelerate, said = self._written.get("accelerate"), self._written.get("settings", {})
        if accelerate is not None:
            if self._accelerator is None:
                return None
            said = model_parts.sampling(accelerate) | said
        settings, found = validate(self._kind, said, f"{self._path}.settings")
        self.faults += [self._where_said(fault) for fault in found]
        if settings is None or facts is None:
            return None
        try:
            return settings.fitted(facts)
        except ManifestError as error:
            for fault in map(Fault.keyed, error.faults):
                within = fault.within(self._path if fault.path == "model" else f"{self._path}.settings")
                self.faults.append(self._where_said(within))
            return None

    def _where_said(self, fault: Fault) -> Fault:
        """A fault of a setting that the few-step adapter's key says, at that key."""
        key = fault.path.removeprefix(f"{self._path}.settings.")
        unsaid = self._written.get("accelerate") is None or key not in model_parts.SAMPLING
        if unsaid or key == fault.path or key in self._written.get("settings", {}):
            return fault
        path = f"{self._path}.accelerate.{key}"
        return Fault(path + fault.removeprefix(fault.path), path=path, kind=fault.kind)

    def _check_weights(self) -> None:
        weights: Weights | None = self._written.get("weights")
        if weights is None:
            return
        if self._written.get("total", 1) is None:
            self._fault("weights", "needs `total`; without it every cell gets the same", "missing")
        tones: SkinTones | None = self._document.get("skin_tones")
        self._check_weights_of("label", weights.label, self._document.get("labels"))
        self._check_weights_of("skin_tone", weights.skin_tone, tones.values if tones else None)

    def _check_weights_of(self, what: str, given: Mapping[Any, float], known: Any) -> None:
        if known is None:
            return
        for value in given:
            if value not in known:
                said = f"no such {what.replace('_', ' ')}; {near(value, known)}"
                self._fault(f"weights.{what}.{value}", said, "not_found")
        if not any(given.get(value, 1.0) for value in known):
            self._fault("weights", "leave no cell anything; one weight must be above 0", "invalid")

    def _check_counts(self) -> None:
        """Whether the entry says once how many images, in the way that suits its strategy."""
        ways = {"per_cell": "per_cell", "total": "total", "per_source": "per_source", "parent": "from"}
        if any(key not in self._written for key in ways):  # one is there, and at fault
            return
        given = [word for key, word in ways.items() if self._written[key] is not None]
        starts = bool({"per_source", "from"} & set(given))
        reads = self._kind.reads_source if self._kind else None
        if reads and not starts:
            said = f"{self._strategy} starts from images; give `per_source`, or `from` and an entry's name"
            self._fault("", said, "missing")
        elif reads is False and starts:
            said = f"{self._strategy} makes images from prompts alone; give `per_cell` or `total`"
            self._fault("", said, "conflict")
        elif len(given) != 1:
            said = "give either `per_source` or `from`" if reads else "give either `per_cell` or `total`"
            self._fault("", said, "conflict" if given else "missing")
        if "per_source" in given and self._document.get("real", 0) is None:
            self._fault("per_source", "needs real images; say under `real:` where they are", "missing")
        if self._written.get("source_pool") is not None and "per_source" not in given:
            self._fault("source_pool", "is for entries with `per_source`", "conflict")
        if self._written.get("source_label") is not None and "per_source" not in given:
            self._fault("source_label", "is for entries with `per_source`", "conflict")

    def _check_target(self) -> None:
        target, labels = self._written.get("target_label"), self._document.get("labels")
        source = self._written.get("source_label")
        if source is not None and labels is not None and source not in labels:
            self._fault("source_label", f"no such label; {near(source, labels)}", "not_found")
        if target is None:
            return
        if self._written.get("per_source", 0) is None and self._written.get("parent", 0) is None:
            self._fault("target_label", "is for entries that start from images", "conflict")
        if labels is not None and target not in labels:
            self._fault("target_label", f"no such label; {near(target, labels)}", "not_found")

    def _check_parent(self) -> None:
        parent, names = self._written.get("parent"), [entry_name(entry) for entry in self._entries]
        if parent is None or parent in names[: self._number]:
            return
        if parent in names:
            self._fault("from", f"`{parent}` must come before the entry that starts from it", "conflict")
        else:
            said = f"no entry `{parent}`; {near(parent, filter(None, names[: self._number]))}"
            self._fault("from", said, "not_found")

    def _has_mask(self, number: int) -> bool:
        """Whether the real image that an entry starts from in the end comes with a mask, as far as can be told."""
        entry = self._entries[number]
        parent = entry.get("parent")
        if parent is not None:
            earlier = [place for place in range(number) if entry_name(self._entries[place]) == parent]
            return not earlier or self._has_mask(earlier[0])
        return entry.get("per_source") is not None and self._real_has_masks
