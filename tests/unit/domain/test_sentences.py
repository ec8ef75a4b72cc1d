"""Where sentences end, in many languages."""

import pytest

from flywheel.domain.sentences import sentences


@pytest.mark.parametrize(
    "expected",
    [
        ["Traces are kept, e.g. Langfuse keeps them for 30 days.", "Then they go."],
        ["Use SDK v3.2 or newer.", "Version 4.0.1 is out.", "It costs 3.50 USD."],
        ["See https://langfuse.com/docs.", "Ask at us.cloud.langfuse.com."],
        ["Dr. Smith and J. R. Jones agree.", "The U.S. Region is one.", "At 5 p.m.", "The job runs."],
        ["Wait...", "Then go\u2026", "Really?!", "Yes!"],
        ["The answer is no.", "See no. 5 and fig. 2.", "Ask Acme Inc. Support."],
        ['He said "Use v3."', "(It works.)", "Fine"],
        ["Das gilt z. B. Für Spuren.", "Dr. Müller sagt, v3.2 reicht.", "Am 3. Mai 2026 endet es."],
        ["Es sind 30.", "Projekte haben das.", "Siehe Nr. 5, Abs. 2 bzw. Kap. 3.", "Das geht d. h. Es ist so."],
        ["Im 2. Quartal kommt es.", "3. Mai ist der Tag."],
        ["M. Dupont le dit.", "C'est p. ex. Gratuit.", "Mme. Curie aussi."],
        ["¿Se puede cambiar?", "Sí, p. ej. En ajustes.", "EE. UU. Tiene otra región.", "¡Listo!"],
        ["Il Sig. Rossi paga 3,50 €.", "Ecco tutto."],
        ["O Sr. Silva confirma.", "São 30 dias."],
        ["Det gäller t.ex. Langfuse.", "Se f.eks. Docs.", "To jest np. Langfuse.", "Örn. Türkiye."],
        ["Dhr. Jansen zegt bijv. Dat het kan.", "O.a. Langfuse."],
        ["Сперва так.", "Потом иначе."],
        ["تُحفظ 30 يومًا.", "هل يمكن\u061f", "نعم."],
        ["डेटा 30 दिन रहता है\u0964", "हाँ\u0964"],
    ],
    ids=lambda expected: expected[0][:20],
)  # fmt: skip
def test_sentences_end_where_a_reader_ends_them(expected: list[str]) -> None:
    assert sentences(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["デ\u30fcタは30日間保存されます。", "設定で変更できます。"],
        ["\u300cはい。\u300dと言った。", "終わりです。"],
        ["数据保留30天。", "可以更改\uff01", "真的吗\uff1f", "是的。"],
    ],
)  # fmt: skip
def test_languages_without_spaces_need_none(expected: list[str]) -> None:
    assert sentences("".join(expected)) == expected


def test_numbers_of_a_list_inside_the_text_are_taken_off() -> None:
    assert sentences("1. Open settings. 2. Click Save.") == ["Open settings.", "Click Save."]


@pytest.mark.parametrize("text", ["", "   ", "...", "\U0001f44d", "--- ***"])
def test_what_says_nothing_has_no_sentence(text: str) -> None:
    assert sentences(text) == []
