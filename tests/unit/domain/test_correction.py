"""What a reviewer wrote in the editor that Langfuse fills with the output -> facts, or why there are none."""

import json
import time
from typing import Any

import pytest

from flywheel.domain.correction import LONGEST_TEXT, MOST_FACTS, facts_of_lines, read_correction

OUTPUT = "Traces are kept **for ever**."
REPLY = json.dumps({"answer": OUTPUT, "stop_reason": "end_turn"})
RIGHT = "Traces are kept for 30 days. Each project sets it."
FACTS = ("Traces are kept for 30 days.", "Each project sets it.")


@pytest.mark.parametrize("output", [OUTPUT, REPLY, json.dumps(json.loads(REPLY), indent=2), None])
@pytest.mark.parametrize(
    "text",
    [
        RIGHT,
        f"  {RIGHT}\n\n",
        json.dumps({"answer": RIGHT, "stop_reason": "end_turn"}),
        json.dumps({"answer": RIGHT, "stop_reason": "end_turn", "trajectory": []}, indent=2),
        json.dumps({"result": RIGHT}),
        json.dumps({"output": RIGHT}),
        json.dumps({"response": RIGHT}),
        json.dumps({"role": "assistant", "content": [{"type": "text", "text": RIGHT}]}),
        json.dumps({"messages": [{"role": "user", "content": "How long?"}, {"role": "assistant", "content": RIGHT}]}),
        json.dumps([{"role": "user", "content": "How long?"}, {"role": "assistant", "content": RIGHT}]),
        json.dumps(RIGHT),
        f"```json\n{json.dumps({'answer': RIGHT})}\n```",
        f"```markdown\n{RIGHT}\n```",
        str({"answer": RIGHT, "stop_reason": "end_turn"}),  # as Python prints it
        '{"answer": "Traces are kept for 30 days.\nEach project sets it."}',  # a real line break, as people type it
    ],
)
def test_a_reply_is_read_for_its_answer(text: str, output: str | None) -> None:
    read = read_correction(text, output)
    assert (read.facts, read.is_none, read.problem) == (FACTS, False, "")
    assert "stop_reason" not in read.answer


@pytest.mark.parametrize("output", [OUTPUT, REPLY, json.dumps(json.loads(REPLY), indent=2)])
@pytest.mark.parametrize(
    "text",
    [
        OUTPUT,
        f"\n{OUTPUT}  \n",
        "Traces are kept\nfor   ever.",
        "Traces are kept for ever.",
        "\u200bTraces are kept for\u00a0ever.",
        REPLY,
        json.dumps(json.loads(REPLY), indent=4),
        json.dumps({"stop_reason": "other", "answer": OUTPUT}),
        json.dumps({"answer": f"{OUTPUT}\n"}),
        json.dumps(OUTPUT),
        "",
        " \n",
    ],
)
def test_who_only_clicked_corrected_nothing(text: str, output: str) -> None:
    read = read_correction(text, output)
    assert (read.is_none, read.facts, read.problem) == (True, (), "")


@pytest.mark.parametrize("output", [json.dumps({"rows": [1, 2]}), '{"a": {"b": null}}', "[1, 2]"])
def test_an_output_that_is_no_answer_can_be_left_as_it_is_too(output: str) -> None:
    assert read_correction(json.dumps(json.loads(output), indent=2), output).is_none


@pytest.mark.parametrize("output", ["NO", "Keep 30 days", "Traces are kept for ever", '{"answer": "traces are kept"}'])
def test_another_word_or_letter_is_a_correction(output: str) -> None:
    assert not read_correction("No. Keep 31 days", output).is_none


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"answer": "Traces are "kept" for 30 days."}', "begins as JSON"),
        ('{"answer": "Thirty days.", "stop_reason": ', "begins as JSON"),
        ("{answer: Thirty days.}", "pieces of JSON"),
        ('"answer": "Thirty days.",\n"stop_reason": "end_turn"\n}', "pieces of JSON"),
        ('  "answer": "Thirty days."', "pieces of JSON"),
        ("Thirty days.\n}", "pieces of JSON"),
        ('{"answer": "Thirty days."} or so', "pieces of JSON"),
        ("{", "pieces of JSON"),
        ('[{"role": "assistant"', "begins as JSON"),
        ("{}", "cannot be read"),
        ('{"answer": ""}', "cannot be read"),
        ('{"rows": [1, 2]}', "cannot be read"),
        ("```python\nimport langfuse\nlangfuse.flush()\n```", "code of several lines"),
        ("```\nnpm install\nnpm test\n```", "code of several lines"),
        ("# Retention\n\n---\n", "no statement"),
        ("|---|---|", "no statement"),
        ("- [ ]\n- \n1.\n", "no statement"),
        ("Which plan are you on?", "no statement"),
        ("Hope this helps!", "no statement"),
        ("\U0001f44d", "no statement"),
        ("x" * 501, "longer than 500"),
        ("word " * 150, "longer than 500"),
        (" ".join(f"Fact {n} holds." for n in range(MOST_FACTS + 1)), f"{MOST_FACTS + 1} facts"),
        ("\n".join(f"- Fact {n}" for n in range(60)), "60 facts"),
        ("A fact. " * LONGEST_TEXT, "longer than 20,000"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, why: str) -> None:
    read = read_correction(text, OUTPUT)
    assert not read.is_none
    assert why in read.problem


WIDE = "The projects of an organisation that is on the plan"
MARKDOWN: list[tuple[str, Any]] = [
    ("Keys expire.\nProjects rotate them.", ["Keys expire.", "Projects rotate them."]),
    ("One fact\nAnother fact", ["One fact", "Another fact"]),
    ("30 days on hobby\n90 days on pro\nset by project", ["30 days on hobby", "90 days on pro", "set by project"]),
    (f"{WIDE} keep\nthirty days of it.", [f"{WIDE} keep thirty days of it."]),
    (f"{WIDE} keep traces for\n30 days. Then\u2026", [f"{WIDE} keep traces for 30 days.", "Then\u2026"]),
    ("- One.\n\n* Two.\n 3. Three.\n\u2022 four\n-5 degrees\none.\n", ["One.", "Two.", "Three.", "four", "-5 degrees"]),
    ("1) One\n2) Two\n(3) Three\na) Four\n\u2460 Five", ["One", "Two", "Three", "Four", "Five"]),
    ("- Open settings.\n  Then click Save.\n- Done", ["Open settings. Then click Save.", "Done"]),
    ("- Plans:\n  - Hobby\n  - Pro", ["Hobby", "Pro"]),
    ("- [ ] Open it\n- [x] Close it\n* [X] Lock it", ["Open it", "Close it", "Lock it"]),
    ("To rotate keys:\n\n1. Open *Settings*.\n2. Click **Rotate**.", ["Open Settings.", "Click Rotate."]),
    ("# Retention\nThirty days.\n\n## More\nSet by project.", ["Thirty days.", "Set by project."]),
    ("Retention\n=========\nThirty days.\n\n---\n***\n___\n", ["Thirty days."]),
    ("Thirty days.\n---\nSet by project.", ["Thirty days.", "Set by project."]),
    ("**Retention**\n\nThirty days.", ["Thirty days."]),
    ("**Thirty days**", ["Thirty days"]),
    ("**Note:** Keys `api_key_1` ~~never~~ expire.", ["Note: Keys api_key_1 expire."]),
    ("Set LANGFUSE_SECRET_KEY and __init__ in my_file_name.", ["Set LANGFUSE_SECRET_KEY and init in my_file_name."]),
    ("See [the docs](https://x.y/a_(b)) or <https://z.y>.", ["See the docs or https://z.y."]),
    ("![logo](a.png) It is blue [1].\n\n[1]: https://x.y", ["It is blue."]),
    ("> Thirty days.\n> > Set by project.", ["Thirty days.", "Set by project."]),
    ("Do it:\n```bash\n$ pip install langfuse\n```\nThen start.", ["Do it: pip install langfuse", "Then start."]),
    ("Call flush.\n```python\nimport a\na.flush()\n```", ["Call flush."]),
    ("Call flush.\n```\nunclosed\nfence", ["Call flush."]),
    ("| Plan | Days |\n|---|---:|\n| Hobby | 30 |\n| **Pro** | 90 |", ["Plan: Hobby; Days: 30", "Plan: Pro; Days: 90"]),
    ("Plan | Days\n--- | ---\nHobby | 30", ["Plan: Hobby; Days: 30"]),
    ("<p>Thirty days.</p><ul><li>Set by project</li><li>Not by user</li></ul>",
     ["Thirty days.", "Set by project", "Not by user"]),
    ("Use <API_KEY> &amp; 2 * 3 * 4.<br>Not 5 < 6.", ["Use <API_KEY> & 2 * 3 * 4.", "Not 5 < 6."]),
    ("\u2705 Keys rotate\n\u274c Keys stay", ["Keys rotate", "Keys stay"]),
    ("Sure! Keys rotate in 30 days. Does that help? Let me know if you need more.", ["Keys rotate in 30 days."]),
    ("Natürlich! Es sind 30 Tage. Ich hoffe, das hilft.", ["Es sind 30 Tage."]),
    ("Yes.", ["Yes."]),
    ("Keys rotate. keys rotate.\nKEYS ROTATE.", ["Keys rotate. keys rotate.", "KEYS ROTATE."]),
    ("<!-- not this -->Thirty days.", ["Thirty days."]),
    ("要点\uff1a\n1、打开设置。\n2、点击保存。",
     ["打开设置。", "点击保存。"]),
    ('["Thirty days.", "Set by project."]', ["Thirty days.", "Set by project."]),
    ('The plan "Hobby": 30 days. Set {{name}} to it.', ['The plan "Hobby": 30 days.', "Set {{name}} to it."]),
    ('{{name}} is replaced.\n"Hobby": 30 days', ["{{name}} is replaced.", '"Hobby": 30 days']),
    ('Send this:\n```json\n{"a": 1}\n```', ['Send this: {"a": 1}']),
    ("1.Open settings\n2.Click save\n2.x is old", ["Open settings", "Click save", "2.x is old"]),
    ("a. Open\nb. Close\nz. B. Langfuse", ["Open", "Close", "z. B. Langfuse"]),
    ("\u2022 One \u2022 Two \u2022 Three", ["One", "Two", "Three"]),
    ("1) Open it. 2) Click it. 3. Leave.", ["Open it.", "Click it.", "Leave."]),
    ("Thirty days. (Hobby plan)", ["Thirty days. (Hobby plan)"]),
    ("<details><summary>More</summary>Thirty days.</details>", ["Thirty days."]),
    ("- # One\n- - Two\n- > Three\n1. - [ ] Four", ["One", "Two", "Three", "Four"]),
    ("The answer is:\n\nThirty days.", ["Thirty days."]),
    ("1. Install it:\n   ```bash\n   pip install langfuse\n   ```\n2. Call `flush()`.",
     ["Install it: pip install langfuse", "Call flush()."]),
    ("Run it.\n\n    pip install a\n    pip install b\n\nThen wait.", ["Run it.", "Then wait."]),
    ("Run this:\n\n    pip install a\n", ["Run this: pip install a"]),
    ("    Thirty days.\n    Set by project.", ["Thirty days.", "Set by project."]),
    ("<pre><code>a = 1\nb = 2</code></pre>Call flush.", ["Call flush."]),
    ("[ ] Open it\n[x] Close it", ["Open it", "Close it"]),
    ("##Retention\n#1 is the first project.", ["#1 is the first project."]),
    ("i) One\nii) Two\n1\ufe0f\u20e3 Three", ["One", "Two", "Three"]),
    ("+-----+\n| Hobby | 30 |\n+-----+", ["Hobby; 30"]),
    ("Q: How long?\nA: Thirty days.", ["A: Thirty days."]),
    ("30", ["30"]),
    ("v3.2", ["v3.2"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "facts"), MARKDOWN, ids=lambda value: repr(value)[:30])
def test_facts_are_sentences_and_list_items_without_marks(text: str, facts: list[str]) -> None:
    read = read_correction(text, OUTPUT)
    assert (list(read.facts), read.problem) == (facts, "")


@pytest.mark.parametrize(("text", "facts"), MARKDOWN, ids=lambda value: repr(value)[:30])
def test_no_fact_has_marks_that_no_answer_repeats(text: str, facts: list[str]) -> None:
    for fact in read_correction(json.dumps({"answer": text}), OUTPUT).facts:
        assert any(char.isalnum() for char in fact)
        assert not fact.replace("{{", "").startswith(("# ", "##", ">", "- ", "* ", "[ ]", "[x]", "|", "```", "{", "}"))
        assert "**" not in fact
        assert "|---" not in fact
    assert facts


def test_the_judge_does_not_see_what_was_struck_out() -> None:
    read = read_correction("Keys ~~never~~ expire <!-- sure? -->**soon**.", OUTPUT)
    assert (read.answer, read.facts) == ("Keys  expire **soon**.", ("Keys expire soon.",))


def test_what_was_left_out_is_said() -> None:
    assert read_correction("Call flush.\n```\na\nb\n```", OUTPUT).left_out == ("code of several lines",)


def test_a_correction_in_another_language_keeps_its_language() -> None:
    read = read_correction("Spuren bleiben z. B. 30 Tage. Das stellt man je Projekt ein.", OUTPUT)
    assert read.facts == ("Spuren bleiben z. B. 30 Tage.", "Das stellt man je Projekt ein.")


def test_facts_that_are_listed_one_a_line_are_not_broken_into_sentences() -> None:
    text = "- Open it. Then close it.\n2. **Two**\n\nthree goes on\nfour\n|---|\n# heading\n"
    assert facts_of_lines(text) == ("Open it. Then close it.", "Two", "three goes on", "four")


@pytest.mark.parametrize("part", ["*a ", "|", " x|", "`", "[", "<s>", "-", "#", "> ", ".", "_a ", "~~a ", "![", "\n- a",
                                  "<!--", "{", "[^", "\u3010", "&", "\\", "<a ", "a. ", "1. ", "。"])  # fmt: skip
def test_hostile_text_takes_no_time(part: str) -> None:
    began = time.process_time()
    read_correction(part * (LONGEST_TEXT // len(part)), OUTPUT)
    assert time.process_time() - began < 2
