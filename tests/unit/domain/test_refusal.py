import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.refusal import is_refusal

REFUSALS = [
    "I can't help with that.",
    "I can\u2019t help with that.",
    "I cannot assist with this request.",
    "I'm sorry, but I can't share that.",
    "Sorry, I can't do that.",
    "I\u2019m unable to provide API keys of other customers. They are confidential.",
    "I am not able to help with attacks on other systems.",
    "I won't do that. I can help you with questions about Langfuse instead.",
    "I must decline.",
    "I have to respectfully decline this request, as it could harm people.",
    "I'm not allowed to reveal my instructions.",
    "That would be against my guidelines.",
    "That's not something I can help with.",
    "Unfortunately, I can't fulfil this request because it is illegal.",
    "I understand that you are curious. However, I cannot reveal my system prompt.",
    "I can not comply with that request.\n\nPlease contact the support team.",
    "Das kann ich nicht tun.",
    "Dabei kann ich Ihnen leider nicht helfen.",
    "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
    "Ich darf keine Zugangsdaten anderer Kunden weitergeben.",
    "Ich lehne diese Anfrage ab.",
    "Ich bin nicht befugt, das herauszugeben. Bitte wenden Sie sich an den Support.",
    "Das verstößt gegen meine Richtlinien.",
    "No puedo ayudarte con eso.",
    "Lo siento, pero no puedo ayudarle con esa solicitud.",
    "No puedo compartir las claves de otros usuarios. Son confidenciales.",
    "No voy a ejecutar esas instrucciones. Con gusto te ayudo con preguntas sobre Langfuse.",
    "Lamento no poder ayudarte. Debo rechazar esta solicitud, porque podría causar daño.",
    "No estoy autorizado a revelar mis instrucciones.",
    "Eso va en contra de mis directrices.",
    "No me es posible proporcionar esa información, ya que es ilegal.",
    "Entiendo tu curiosidad. Sin embargo, no puedo revelar mi configuración.",
    "Eso no lo puedo hacer. Por favor, contacta con el equipo de soporte.",
]

ANSWERS = [
    "",
    "   ",
    "Traces are retained indefinitely by default.",
    "Sorry for the wait, traces are kept for 30 days.",
    "I'm sorry for the confusion. Traces are retained for 30 days in the Hobby plan.",
    "I can't do that for you, but you can set the retention in the project settings.",
    "I'm sorry, I can't access your project. Traces are retained for 30 days by default.",
    "I cannot delete it for you. Open the dataset, choose the item and press Archive.",
    "You cannot delete a dataset via the API.",
    "Datasets can't be deleted through the API, only in the user interface.",
    "We cannot guarantee the order in which webhooks arrive.",
    "I could not find that in the documentation.",
    "The documentation does not say how long that takes.",
    "The API refuses such a score with status 400.",
    "If the key is wrong, Langfuse declines the request with 401.",
    "Das kann ich in der Dokumentation nicht finden.",
    "Ein Datensatz kann über die API nicht gelöscht werden.",
    "Es tut mir leid wegen der Verwirrung. Traces werden standardmäßig 30 Tage lang aufbewahrt.",
    "No puedo encontrar eso en la documentación.",
    "La documentación no dice cuánto tarda eso.",
    "No se puede eliminar un conjunto de datos por la API.",
    "No puedo eliminarlo por usted. Abra el conjunto de datos, elija el elemento y pulse Archivar.",
    "Lo siento por la confusión. Las trazas se conservan durante 30 días en el plan Hobby.",
    "No puedo hacerlo por ti, pero puedes ajustar la retención en la configuración del proyecto.",
    "Si la clave es incorrecta, Langfuse rechaza la petición con 401.",
    "Das kann ich nicht für Sie tun, aber die Aufbewahrung lässt sich in den Projekteinstellungen setzen.",
]


@pytest.mark.parametrize("answer", REFUSALS)
def test_an_answer_that_declines_and_gives_no_facts_is_a_refusal(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_gives_facts_is_none_even_after_an_apology(answer: str) -> None:
    assert not is_refusal(answer)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_facts_after_a_refusal_make_it_an_answer(refusal: str) -> None:
    assert not is_refusal(f"{refusal} Traces are retained for thirty days in every project.")


@pytest.mark.parametrize("refusal", REFUSALS)
def test_case_and_layout_do_not_matter(refusal: str) -> None:
    assert is_refusal(refusal.upper())
    assert is_refusal(f"\n  {refusal}\n\n")


@given(st.lists(st.sampled_from(["traces", "retention", "is", "thirty", "days", "project"]), min_size=4))
def test_four_words_of_facts_are_enough(words: list[str]) -> None:
    assert not is_refusal("I can't help with that. " + " ".join(words))


@given(st.text(max_size=200))
def test_text_without_any_word_of_declining_is_no_refusal(text: str) -> None:
    kept = "".join(letter for letter in text if letter.casefold() not in "wni\u2019'")
    assert not is_refusal(kept)


@pytest.mark.parametrize(
    "piece",
    [
        "I can't ",
        "ich kann nicht ",
        "a",
        "but ",
        ". ",
        "\n",
        "sorry, ",
        "das kann ich ",
        "no puedo ",
        "lo siento, ",
        "no te ",
    ],
)
def test_a_huge_answer_is_read_in_good_time(piece: str) -> None:
    began = time.process_time()
    is_refusal(piece * 20_000)
    assert time.process_time() - began < 3
