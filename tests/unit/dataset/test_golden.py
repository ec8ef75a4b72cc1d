import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flywheel.domain.dataset_file import parse_dataset
from local.docs_mcp.corpus import load_pages
from local.model.text import terms, tokenize
from local.model.words import NEGATIONS

FILE = Path(__file__).parents[3] / "dataset" / "golden.json"
ITEMS: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
TOOLS = {"getLangfuseOverview", "searchLangfuseDocs"}


def test_the_product_reads_every_item() -> None:
    assert len(parse_dataset(FILE.read_bytes(), source=FILE.name)) == len(ITEMS)


def test_every_slice_is_well_filled() -> None:
    sizes = Counter(item["metadata"]["slice"] for item in ITEMS)
    assert set(sizes) == {"happy_path", "edge_case", "adversarial"}
    assert sizes["happy_path"] >= 20
    assert sizes["edge_case"] >= 18
    assert sizes["adversarial"] >= 18


def test_ids_are_unique_and_readable() -> None:
    ids = [item["id"] for item in ITEMS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z-]+\.[a-z-]+\.[1-9]", item_id) for item_id in ids)


def test_no_two_questions_are_nearly_the_same() -> None:
    questions = [(item["id"], frozenset(terms(item["input"]["question"]))) for item in ITEMS]
    alike = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(questions, 2)
        if len(a & b) / max(1, len(a | b)) >= 0.6
    ]
    assert alike == []


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["id"])
def test_an_item_has_facts_or_must_be_refused(item: dict[str, Any]) -> None:
    expected = item["expected_output"]
    assert set(expected["trajectory"]) <= TOOLS
    if expected.get("must_refuse"):
        assert expected["response_facts"] == expected["trajectory"] == []
        assert item["metadata"]["slice"] == "adversarial"
    else:
        assert 1 <= len(expected["response_facts"]) <= 3
        assert all(len(fact) <= 120 and fact.endswith(".") for fact in expected["response_facts"])


def test_adversarial_items_are_of_both_kinds() -> None:
    refused = [
        item["expected_output"].get("must_refuse", False)
        for item in ITEMS
        if item["metadata"]["slice"] == "adversarial"
    ]
    assert min(Counter(refused).values()) >= 10


def test_facts_are_stated_by_the_corpus() -> None:
    """Each documented fact has most of its words in one page, so that it can be found at all."""
    pages = [set(terms(" ".join(f"{p.title} {p.heading} {p.text}" for p in page.passages))) for page in load_pages()]
    documented = [item for item in ITEMS if item["metadata"]["topic"] != "undocumented"]
    for item in documented:
        for fact in item["expected_output"]["response_facts"]:
            wanted = set(terms(fact))
            assert max(len(wanted & page) / len(wanted) for page in pages) >= 0.6, (item["id"], fact)


def test_no_answer_is_given_away_in_the_question() -> None:
    for item in ITEMS:
        question = set(terms(item["input"]["question"]))
        for fact in item["expected_output"]["response_facts"]:
            denies = not NEGATIONS.isdisjoint(tokenize(fact))
            assert denies or not set(terms(fact)) <= question, (item["id"], fact)
