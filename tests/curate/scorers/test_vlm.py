"""A vision-language model answers a checklist: here, or behind an address; it never judges skin tone."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.curate import checklist
from synthgen.curate.scorers import Batch, Context, _vlm_address, module, vlm
from synthgen.curate.scorers.vlm import Answer, Checklist, Settings
from synthgen.errors import UnavailableError
from synthgen.extensions import EXTENSIONS
from synthgen.phantom import render
from synthgen.plan.manifest import curate

LABELS = ("psoriasis", "vitiligo", "healthy")
QUESTIONS = {"lesion": {"ask": "Is a lesion to be seen?"}, "condition": {"ask": "Which?", "agrees_with": "label"}}


class Fake(BaseHTTPRequestHandler):
    """Answers as OpenAI's protocol does, and keeps what it was asked."""

    asked: list[tuple[dict[str, str], dict[str, Any]]] = []
    troubles: list[int] = []
    broken = False
    refusal = ""
    padding = 0

    def do_POST(self) -> None:
        """Answer, or be in trouble."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Fake.asked.append((dict(self.headers), body))
        if Fake.troubles:
            self.send_error(Fake.troubles.pop(0))
            return
        if Fake.refusal:
            self._answer(400, json.dumps({"error": {"message": Fake.refusal}}).encode())
            return
        text = body["messages"][0]["content"][1]["text"]
        said = "Psoriasis." if "Which?" in text else "Yes, a lesion."
        content = {"choices": [{"message": {"content": said}}], "usage": {"prompt_tokens": 90, "completion_tokens": 3}}
        self._answer(200, json.dumps({"strange": 1} if Fake.broken else content).encode() + b" " * Fake.padding)

    def _answer(self, status: int, answer: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked may have had enough
            self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server on this machine."""
    Fake.asked, Fake.troubles, Fake.broken, Fake.refusal, Fake.padding = [], [], False, "", 0
    monkeypatch.setattr(_vlm_address.time, "sleep", lambda _: None)
    held = ThreadingHTTPServer(("127.0.0.1", 0), Fake)
    thread = threading.Thread(target=held.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{held.server_port}/v1"
    held.shutdown()
    held.server_close()
    thread.join()


@pytest.fixture
def batch(batch_of: Callable[..., Batch]) -> Batch:
    """Three phantoms, one of each label."""
    return batch_of(render.render(list(LABELS), [1, 6, 3], site="a", seed=1))


def scored(batch: Batch, context: Context, **settings: Any) -> dict[str, list[Any]]:
    """The columns that an address gives."""
    read = Settings(model="some-model", questions=QUESTIONS, **settings)
    return {name: list(values) for name, values in vlm.open_scorer(read, context).load()(batch).items()}


def test_an_address_is_asked_each_question(
    server: str, batch: Batch, context_of: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers, agreement with the label and tokens are columns; the token is in the header alone."""
    monkeypatch.setenv("A_TOKEN", "sesame")
    found = scored(batch, context_of(), address=server, token_from="A_TOKEN")
    assert found["lesion"] == [1, 1, 1]
    assert found["condition"] == [1, 0, 0]
    assert found["condition_said"] == ["Psoriasis."] * 3
    assert (found["calls"], found["prompt_tokens"], found["completion_tokens"]) == ([2] * 3, [180] * 3, [6] * 3)
    assert len(Fake.asked) == 6
    headers, body = Fake.asked[0]
    assert headers["Authorization"] == "Bearer sesame"
    assert (body["temperature"], body["model"]) == (0, "some-model")
    assert body["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert (
        "psoriasis, vitiligo, healthy"
        in next(one for _, one in Fake.asked if "Which?" in str(one))["messages"][0]["content"][1]["text"]
    )
    read = Settings(model="some-model", questions=QUESTIONS, address=server, token_from="A_TOKEN")
    assert "sesame" not in json.dumps(dict(vlm.open_scorer(read, context_of()).facts)) + read.model_dump_json()


def test_trouble_that_passes_is_waited_for(server: str, batch: Batch, context_of: Callable[..., Context]) -> None:
    """A rate limit and a server's error are asked again; every answer is there in the end."""
    Fake.troubles = [429, 503, 500]
    assert scored(batch, context_of(), address=server, requests_at_once=1)["lesion"] == [1, 1, 1]
    assert len(Fake.asked) == 9


@pytest.mark.parametrize(
    ("troubles", "broken", "said"), [([401] * 99, False, "HTTP 401"), ([], True, "not an answer of")]
)
def test_trouble_that_stays_is_one_line(  # noqa: PLR0917 - fixtures
    troubles: list[int], broken: bool, said: str, server: str, batch: Batch, context_of: Callable[..., Context],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A refusal is not asked again, and the line names the address and no token."""
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    Fake.troubles, Fake.broken = troubles, broken
    with pytest.raises(UnavailableError, match=said) as caught:
        scored(batch, context_of(), address=server, requests_at_once=1)
    assert len(Fake.asked) <= 2
    assert server in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_why_a_server_refuses_is_said_in_its_words(
    server: str, batch: Batch, context_of: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the token, should it have that among them."""
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    Fake.refusal = "Unsupported parameter: max_tokens; key sesame"
    with pytest.raises(UnavailableError, match=r"HTTP 400 \(Unsupported parameter: max_tokens; key \.\.\.\)"):
        scored(batch, context_of(), address=server, requests_at_once=1)


def test_an_answer_without_end_is_not_read_to_it(server: str, batch: Batch, context_of: Callable[..., Context]) -> None:
    """Memory is bounded whatever a server sends."""
    Fake.padding = 3_000_000
    with pytest.raises(UnavailableError, match="more than 1,000,000 bytes"):
        scored(batch, context_of(), address=server, requests_at_once=1)


def test_what_is_for_this_machine_goes_by_no_proxy(
    server: str, batch: Batch, context_of: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would have the token and the images as plain text; this one would answer nothing at all."""
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert scored(batch, context_of(), address=server)
    assert Fake.asked


def test_a_token_is_never_sent_as_plain_text(
    batch: Batch, context_of: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To another machine; it is refused before anything is sent."""
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    with pytest.raises(UnavailableError, match=r"OPENAI_API_KEY would be sent to example\.org as plain text"):
        scored(batch, context_of(), address="http://example.org/v1")


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("skin_tone", {"ask": "What is it?"}),
        ("fitzpatrick", {"ask": "What is it?"}),
        ("looks", {"ask": "Is this Fitzpatrick type V?"}),
        ("looks", {"ask": "Is this person black or white?"}),
        ("looks", {"ask": "Which is it?", "answers": ["light skin", "dark skin"]}),
    ],
)
def test_it_judges_no_skin_tone(name: str, question: dict[str, Any]) -> None:
    """As far as the question's name, what it asks or its answers show it."""
    with pytest.raises(ValueError, match=f"`{name}` asks for skin tone"):
        Settings(model="m", questions={name: question})


@pytest.mark.parametrize("ask", ["Are there kidney stones?", "Is the lesion of dark colour?", "Is there a tracery?"])
def test_other_words_are_asked(ask: str) -> None:
    """A lesion has a colour, too."""
    assert Settings(model="m", questions={"seen": {"ask": ask}})


@pytest.mark.parametrize(
    "address", ["ftp://host/v1", "http://me:secret@host/v1", "host/v1", "http://host/v1?key=secret"]
)
def test_an_address_without_secrets_is_asked_for(address: str) -> None:
    """Neither a password nor a query is in a manifest."""
    with pytest.raises(ValueError, match="address: give http"):
        Settings(model="m", questions=QUESTIONS, address=address)


def test_rules_know_the_columns_of_the_questions() -> None:
    """Each question is a column of numbers, its answer as written one of text."""
    scorers = {"vlm": {"model": "m", "questions": QUESTIONS}}
    rules = ["vlm.lesion == 1", "vlm.calls < 9"]
    assert curate.check({"scorers": scorers, "keep": rules}, EXTENSIONS.scorers)[1] == []
    [fault] = curate.check({"scorers": scorers, "keep": ["vlm.lesion_said == 1"]}, EXTENSIONS.scorers)[1]
    assert "is text, which can't be compared" in fault
    [fault] = curate.check({"scorers": scorers, "keep": ["vlm.lesoin == 1"]}, EXTENSIONS.scorers)[1]
    assert "did you mean `lesion`" in fault


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("yes", "yes"), (" Yes. ", "yes"), ("No, there is none", "no"), ("**no**", "no"), ("not sure", None),
        ("", None),
        ("The answer is: yes", "yes"), ("yes or no", None), ("I see no lesion, yes", None), ("yesterday", None),
        ("yes and no", None), ("I am not sure, no answer", None), ("This is not a yes", None), ("Yes\nbecause", "yes"),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_people_write_it(said: str, answer: str | None) -> None:
    """By the word that it is, begins with before a stop, or ends with after a colon; anything else is not known."""
    assert vlm.chosen(said, ["yes", "no"]) == answer


def test_what_is_no_answer_is_not_known(batch: Batch) -> None:
    """So that it keeps no rule."""

    class Mumbling:
        def over(self, images: list[Any]) -> list[list[Answer]]:
            return [[Answer("perhaps", 1, 1)] * len(questions) for _, questions in images]

    read = Settings(model="m", questions=QUESTIONS)
    found = Checklist(read, dict.fromkeys(LABELS, ""), Mumbling()).score(batch)  # type: ignore[arg-type]
    assert np.isnan(found["lesion"]).all()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA of random weights with a tokenizer of a few words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(0)
    words = ["<unk>", "<s>", "</s>", "<image>", "yes", "no", "lesion", "psoriasis"]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**sizes, image_size=16, patch_size=8).to_dict(),
        text_config=LlamaConfig(**sizes, num_key_value_heads=2, vocab_size=len(words)).to_dict(),
        image_token_index=3,
        vision_feature_layer=-1,
    )
    folder = tmp_path_factory.mktemp("vlm")
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    size = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    LlavaProcessor(
        CLIPImageProcessorPil(**size), fast, patch_size=8, vision_feature_select_strategy="default",
        chat_template="<image> {{ messages[0]['content'][1]['text'] }}", image_token="<image>",
        num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.mark.slow
def test_a_model_of_transformers_answers(tiny: Path, batch: Batch, context_of: Callable[..., Context]) -> None:
    """The same words each time, with the tokens that they took; its weights are among the facts."""
    read = Settings(model=str(tiny), questions={"lesion": {"ask": "lesion"}}, max_new_tokens=3)
    first, second = (vlm.open_scorer(read, context_of()) for _ in range(2))
    one, other = (dict(scorer.load()(batch)) for scorer in (first, second))
    assert one["lesion_said"] == other["lesion_said"]
    assert all(0 < tokens <= 3 for tokens in one["completion_tokens"])
    assert all(tokens > 5 for tokens in one["prompt_tokens"])
    assert first.facts == second.facts
    assert "sha256:" in str(first.facts["model"])


def test_what_is_no_such_model_is_one_line(tmp_path: Path, context_of: Callable[..., Context]) -> None:
    """A folder without safetensors is refused before anything is scored."""
    with pytest.raises(UnavailableError, match="no safetensors"):
        vlm.open_scorer(Settings(model=str(tmp_path), questions=QUESTIONS), context_of())


def test_the_scorer_of_a_name_has_its_columns() -> None:
    """As whoever reads a run's scores asks for them."""
    held = module("vlm", Settings(model="m", questions=QUESTIONS))
    assert list(held.COLUMNS) == ["lesion", "condition", "prompt_tokens", "completion_tokens", "calls"]
    assert list(held.TEXTS) == ["lesion_said", "condition_said"]


def test_nothing_is_said_of_a_run_that_asked_nobody(tmp_path: Path) -> None:
    """Where there are no scores of it."""
    assert list(checklist.lines(tmp_path)) == []
