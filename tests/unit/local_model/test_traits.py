import pytest

from local.model.traits import read_size, read_traits


@pytest.mark.parametrize(
    ("model_id", "size"),
    [
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "small"),
        ("gpt-5-mini", "small"),
        ("global.anthropic.claude-sonnet-4-6", "large"),
        ("amazon.nova-pro-v1:0", "large"),
        ("meta.llama-70b", "large"),
        ("openai.gpt-oss-120b-1:0", "large"),
        ("openai.gpt-oss-20b-1:0", "medium"),
        ("something", "medium"),
    ],
)
def test_the_model_id_tells_the_size(model_id: str, size: str) -> None:
    assert read_size(model_id) == size


def test_a_larger_model_writes_more_and_searches_better() -> None:
    small, medium, large = (read_traits(name, "", None) for name in ("haiku", "x", "sonnet"))
    assert small.answer_sentences < medium.answer_sentences < large.answer_sentences
    assert (small.rewrites, medium.rewrites, large.rewrites) == (False, False, True)


@pytest.mark.parametrize(
    ("prompt", "sentences"),
    [
        ("Be concise.", 2),
        ("Antworte kurz.", 2),
        ("Answer in one sentence.", 1),
        ("Give detailed answers.", 6),
        ("Be complete but brief.", 4),
        ("Refuse harmful questions in one sentence.", 4),
        ("", 4),
    ],
)
def test_the_system_prompt_sets_the_length(prompt: str, sentences: int) -> None:
    assert read_traits("sonnet", prompt, None).answer_sentences == sentences


@pytest.mark.parametrize(
    ("prompt", "first"),
    [
        ("1. Call getLangfuseOverview once to see the topics.", True),
        ("Start with `getLangfuseOverview`.", True),
        ("Use getLangfuseOverview for broad questions only.", False),
        ("Tools: getLangfuseOverview, searchLangfuseDocs.", False),
    ],
)
def test_the_system_prompt_may_ask_for_the_overview_first(prompt: str, *, first: bool) -> None:
    assert read_traits("sonnet", prompt, None).overview_first is first


def test_caution_raises_the_bar_for_an_answer() -> None:
    assert read_traits("sonnet", "Never guess.", None).min_coverage > read_traits("sonnet", "", None).min_coverage


def test_safety_advice_helps_a_small_model() -> None:
    assert not read_traits("haiku", "", None).sees_veiled_harm
    assert read_traits("haiku", "Refuse harmful requests.", None).sees_veiled_harm
