import base64

import pytest

from flywheel.adapters.langfuse import LangfuseCredentials, Reply, credentials, segment
from flywheel.errors import ConflictError, InvalidRequestError, LangfuseAccessError, NotFoundError, TransientError
from tests.unit.adapters.langfuse_double import CREDENTIALS, SECRET, answer, scripted


def test_a_request_carries_the_keys_and_its_reply_is_decoded() -> None:
    langfuse = scripted(answer({"data": [1]}))

    assert langfuse.api().get("v2/datasets", [("page", 1)]) == {"data": [1]}
    request = langfuse.requests[0]
    assert request.path == "v2/datasets"
    assert request.query == {"page": ["1"]}
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode() == f"pk-lf-1:{SECRET}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_work_later_is_tried_again(status: int) -> None:
    langfuse = scripted(answer({}, status), answer({}, status), answer({"ok": True}))

    assert langfuse.api().get("projects") == {"ok": True}
    assert len(langfuse.slept_s) == 2


def test_a_server_that_is_gone_for_20_s_is_waited_for() -> None:
    langfuse = scripted(answer({"ok": True}))
    langfuse.respond = lambda _: ConnectionRefusedError("down") if langfuse.now_s < 20 else answer({"ok": True})

    assert langfuse.api().get("projects", deadline_s=30) == {"ok": True}
    assert 20 <= langfuse.now_s < 30


def test_a_server_that_stays_down_is_given_up_at_the_deadline() -> None:
    langfuse = scripted(ConnectionRefusedError("down"))

    with pytest.raises(TransientError, match=r"does not answer .*gave up after \d+ attempts in 30 s"):
        langfuse.api().get("projects", deadline_s=30)
    assert langfuse.now_s <= 30


def test_the_wait_that_a_rate_limit_asks_for_is_kept() -> None:
    langfuse = scripted(answer({}, 429, retry_after="17"), answer({"ok": True}))

    langfuse.api().get("v3/scores")

    assert langfuse.slept_s == [17.0]


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    langfuse = scripted(answer({}, 429, retry_after="3600"))

    with pytest.raises(TransientError, match="answered 429") as refused:
        langfuse.api().get("v3/scores", deadline_s=30)
    assert langfuse.slept_s == []
    assert refused.value.retry_after_s == 3600


@pytest.mark.parametrize("said", ["", "soon", "-5", "nan", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_is_taken_as_none(said: str) -> None:
    langfuse = scripted(answer({}, 429, retry_after=said), answer({}))

    langfuse.api().get("v3/scores")

    assert 0 < langfuse.slept_s[0] <= 0.25


def test_no_request_waits_longer_than_what_is_left_of_the_deadline() -> None:
    langfuse = scripted(answer({}, 503))
    langfuse.takes_s = 3.0

    with pytest.raises(TransientError):
        langfuse.api().get("projects", deadline_s=8)
    assert [request.timeout_s for request in langfuse.requests] == sorted(
        (request.timeout_s for request in langfuse.requests), reverse=True
    )
    assert langfuse.requests[0].timeout_s == 8


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequestError),
        (401, LangfuseAccessError),
        (403, LangfuseAccessError),
        (404, NotFoundError),
        (405, InvalidRequestError),
        (409, ConflictError),
        (413, InvalidRequestError),
        (422, InvalidRequestError),
        (308, InvalidRequestError),
    ],
)
def test_a_refusal_is_final_and_has_a_name(status: int, error: type[Exception]) -> None:
    langfuse = scripted(answer({"message": "no, because"}, status))

    with pytest.raises(error, match=f"answered {status}: no, because"):
        langfuse.api().get("v2/datasets/x?token=hidden")
    assert len(langfuse.requests) == 1


def test_a_refusal_of_the_keys_says_which_settings_to_look_at() -> None:
    langfuse = scripted(answer({"message": "Invalid credentials"}, 401))

    with pytest.raises(InvalidRequestError, match="Check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY for http"):
        langfuse.api().get("projects")


@pytest.mark.parametrize("body", [b"Invalid JSON", b"\xff\xfe" * 5000, b"[1,2]", b"null", b""])
def test_any_error_body_makes_a_short_message(body: bytes) -> None:
    langfuse = scripted(Reply(400, {}, body))

    with pytest.raises(InvalidRequestError) as caught:
        langfuse.api().get("projects")
    assert len(str(caught.value)) < 700


def test_a_good_status_with_a_page_instead_of_json_is_transient() -> None:
    langfuse = scripted(Reply(200, {}, b"<html>proxy</html>"))

    with pytest.raises(TransientError, match="not JSON"):
        langfuse.api().get("projects")


def test_the_secret_key_shows_in_no_repr_and_no_error() -> None:
    langfuse = scripted(ConnectionRefusedError("down"))

    with pytest.raises(TransientError) as caught:
        langfuse.api().get("projects", deadline_s=1)
    assert SECRET not in repr(CREDENTIALS) + str(caught.value) + repr(caught.value.__cause__)


def test_a_host_that_bears_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="user name or password") as caught:
        LangfuseCredentials("https://user:hunter2@langfuse.test", "pk", SECRET)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("host", ["", "cloud.langfuse.com", "ftp://x", "https://", "https://a b", "http://x?y=1"])
def test_a_host_that_is_no_url_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="LANGFUSE_HOST is not an http"):
        LangfuseCredentials(host, "pk", "sk")


def test_empty_keys_are_refused_and_say_where_to_set_them() -> None:
    values = {"LANGFUSE_HOST": "https://x", "LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": ""}

    with pytest.raises(InvalidRequestError, match="must not be empty; set it in the SSM parameters"):
        credentials(values.__getitem__)


@pytest.mark.parametrize(("said", "version"), [("4.16.0", (4, 16, 0)), ("v4.60.1-rc.2", (4, 60, 1)), ("next", None)])
def test_the_servers_version_is_asked_once(said: str, version: tuple[int, int, int] | None) -> None:
    langfuse = scripted(answer({"status": "OK", "version": said}))
    api = langfuse.api()

    assert (api.server_version(), api.server_version()) == (version, version)
    assert len(langfuse.requests) == (1 if version else 2)


def test_a_slash_in_a_name_stays_part_of_the_name() -> None:
    assert segment("folder/ds c") == "folder%2Fds%20c"
