"""Questions of nearly the same words that ask for different things or for the same, in many languages."""

import pytest

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.harvest_settings import load_default_harvest
from flywheel.domain.likeness import GoldenQuestions
from flywheel.domain.tokens import tokens
from flywheel.similarity import WordLikeness

DIFFERENT = [
    ("How do I subscribe to the newsletter?", "How do I unsubscribe from the newsletter?"),
    ("How do I subscribe to the newsletter?", "How do I unsubscribe to the newsletter?"),
    ("How do I activate an evaluator?", "How do I deactivate an evaluator?"),
    ("How do I enable the playground?", "How do I disable the playground?"),
    ("How do I import a dataset?", "How do I export a dataset?"),
    ("How do I encrypt the backups of my traces?", "How do I decrypt the backups of my traces?"),
    ("How do I archive an item of the dataset?", "How do I unarchive an item of the dataset?"),
    ("How do I migrate from v3 to v2?", "How do I migrate from v2 to v3?"),
    ("How do I move a prompt from staging to production?", "How do I move a prompt from production to staging?"),
    ("How do I migrate to Langfuse?", "How do I migrate from Langfuse?"),
    ("Can I use the SDK with a proxy?", "Can I use the SDK without a proxy?"),
    ("What runs before the upgrade of the server?", "What runs after the upgrade of the server?"),
    ("Which plans have SSO?", "Which plans have no SSO?"),
    ("Why can I see the traces of my project?", "Why can't I see the traces of my project?"),
    ("Are traces kept for 30 days?", "Are traces kept for 90 days?"),
    ("Is the limit 5 MB a request?", "Is the limit 5 GB a request?"),
    ("Is the timeout 30 seconds?", "Is the timeout 30 minutes?"),
    ("Can a session hold a trace?", "Can a trace hold a session?"),
    ("Does a user belong to a project?", "Does a project belong to a user?"),
    ("How do I turn on the notifications for a project?", "How do I turn off the notifications for a project?"),
    ("How do I log in to the console of my server?", "How do I log out of the console of my server?"),
    ("How do I upload a file to the dataset?", "How do I download a file to the dataset?"),
    ("How do I add a member to a project?", "How do I remove a member from a project?"),
    ("How do I opt in to telemetry in the console?", "How do I opt out of telemetry in the console?"),
    ("Do synchronously sent scores block?", "Do asynchronously sent scores block?"),
    ("Wie aktiviere ich die Benachrichtigungen?", "Wie deaktiviere ich die Benachrichtigungen?"),
    ("Wie abonniere ich den Newsletter?", "Wie bestelle ich den Newsletter ab?"),
    ("Wie melde ich mich am Server an?", "Wie melde ich mich am Server ab?"),
    ("Wie wechsle ich von v2 nach v3?", "Wie wechsle ich von v3 nach v2?"),
    ("Wie komme ich von der Sitzung zur Spur?", "Wie komme ich von der Spur zur Sitzung?"),
    ("Geht das mit einem Proxy?", "Geht das ohne einen Proxy?"),
    ("Kann ich Traces importieren?", "Kann ich Traces exportieren?"),
    ("Werden Daten gespeichert?", "Werden Daten nicht gespeichert?"),
    ("Comment activer les notifications ?", "Comment désactiver les notifications ?"),
    ("Comment s'abonner à la lettre ?", "Comment se désabonner de la lettre ?"),
    ("Peut-on le faire avec un proxy ?", "Peut-on le faire sans proxy ?"),
    ("Comment passer de v2 à v3 ?", "Comment passer de v3 à v2 ?"),
    ("¿Cómo activo las alertas?", "¿Cómo desactivo las alertas?"),
    ("¿Cómo me suscribo al boletín?", "¿Cómo me desuscribo del boletín?"),
    ("¿Qué pasa antes de actualizar?", "¿Qué pasa después de actualizar?"),
    ("¿Se puede usar con proxy?", "¿Se puede usar sin proxy?"),
    ("Come attivo le notifiche?", "Come disattivo le notifiche?"),
    ("メールマガジンを購読するにはどうすればよいですか?", "メールマガジンの購読を解除するにはどうすればよいですか?"),
    ("通知を有効にする方法を教えてください", "通知を無効にする方法を教えてください"),
    ("トレースからセッションへ移動するには", "セッションからトレースへ移動するには"),
    ("データは保存されますか", "データは保存されませんか"),
    ("如何订阅新闻通讯?", "如何退订新闻通讯?"),
    ("如何从v2升级到v3?", "如何从v3升级到v2?"),
    ("可以删除项目吗?", "不可以删除项目吗?"),
    ("如何启用通知?", "如何禁用通知?"),
    ("จะเปิดการแจ้งเตือนได้อย่างไร", "จะปิดการแจ้งเตือนได้อย่างไร"),
    ("알림을 활성화하려면 어떻게 하나요?", "알림을 비활성화하려면 어떻게 하나요?"),
    ("Как включить уведомления?", "Как отключить уведомления?"),
]
SAME = [
    ("How do I rotate an API key?", "How do I rotate the API keys?"),
    ("How do I subscribe to the newsletter?", "Please, how can I subscribe to your newsletter?"),
    ("How do I migrate from v2 to v3?", "How do I migrate from v2 to v3, please?"),
    ("How do I delete a trace?", "how to delete a trace"),
    ("Why can't I see my traces?", "Why can I not see my traces?"),
    ("How do I add a trace to an annotation queue?", "Please tell me how to add a trace to an annotation queue."),
    ("How do I deactivate an evaluator?", "How do I deactivate an evalautor?"),
    ("Wie lange werden Traces gespeichert?", "wie lange werden traces gespeichert"),
    ("如何删除跟踪?", "如何删除跟踪"),
    ("トレースを削除する方法を教えてください", "トレースを削除する方法を教えてください。"),
]


def likeness(one: str, other: str) -> float:
    return WordLikeness().questions(one, [other])[0]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_questions_that_ask_for_something_else_are_two(one: str, other: str) -> None:
    least = load_default_harvest().similarity
    assert likeness(one, other) < least
    assert likeness(other, one) < least


@pytest.mark.parametrize(("one", "other"), SAME)
def test_questions_that_ask_for_the_same_are_one(one: str, other: str) -> None:
    least = load_default_harvest().similarity
    assert likeness(one, other) >= least
    assert likeness(other, one) >= least


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Trace löschen", ["trace", "löschen"]),
        ("削除方法", ["削除", "除方", "方法"]),
        ("v3へ移行", ["v3", "へ移", "移行"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("字", ["字"]),
        ("", []),
    ],
)
def test_words_are_found_in_languages_with_and_without_spaces(text: str, found: list[str]) -> None:
    assert tokens(text) == found


@pytest.mark.parametrize(
    ("golden", "near", "far"),
    [
        ("トレースを削除する方法を教えてください", "トレースを削除したい", "料金はいくらですか"),
        ("如何删除跟踪数据", "怎样删除跟踪数据", "价格是多少"),
        ("จะลบข้อมูลการติดตามได้อย่างไร", "ลบข้อมูลการติดตาม", "ราคาเท่าไหร่"),
    ],
)
def test_a_sentence_without_spaces_is_not_one_word_for_the_sampler(golden: str, near: str, far: str) -> None:
    asked = GoldenQuestions([GoldenItem("g", golden, response_facts=("a",))])
    assert asked.nearest(near).likeness > 0.4 > asked.nearest(far).likeness
