"""`flywheel dataset ...` against doubles."""

import json
from pathlib import Path

import pytest

from flywheel.domain.golden import GoldenItem
from flywheel.domain.unreadable_items import UnreadableItem
from tests.unit.cli.double_session import FACTS, DoubleSession, run

NAME = FACTS.dataset


def _items(count: int = 3) -> list[GoldenItem]:
    made = [GoldenItem(f"i{n}", f"Question {n}?", response_facts=(f"Fact {n}.",)) for n in range(count)]
    return [*made, GoldenItem("prod-1", "From production?", origin="production", response_facts=("A.",))]


@pytest.fixture
def session() -> DoubleSession:
    return DoubleSession(_items())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The stored items as a file, one question changed and one item new."""
    path = tmp_path / "golden.json"
    run(DoubleSession(_items()), "dataset", "export", "--output", str(path))
    items = json.loads(path.read_text("utf-8"))
    items[0]["expected_output"]["response_facts"] = ["Another fact."]
    items.append({"id": "new", "input": {"question": "New?"}, "expected_output": {"response_facts": ["Yes."]}})
    path.write_text(json.dumps(items), "utf-8")
    return path


# --- import ---------------------------------------------------------------------------------------------------------


def test_import_adds_and_changes_only_what_differs(session: DoubleSession, file: Path) -> None:
    done = run(session, "dataset", "import", str(file))
    assert done.exit_code == 0
    assert sorted(session.golden.written) == ["i0", "new"]
    assert "1 to add, 1 to change, 3 unchanged" in done.stdout
    assert '["Fact 0."] -> ["Another fact."]' in done.stdout


def test_the_same_import_again_writes_nothing(session: DoubleSession, file: Path) -> None:
    run(session, "dataset", "import", str(file))
    session.golden.written.clear()
    done = run(session, "dataset", "import", str(file), "--json")
    data = json.loads(done.stdout)
    assert (data["written"], data["unchanged"], data["added"], data["changed"]) == (0, 5, [], [])
    assert session.golden.written == []


def test_a_dry_run_shows_everything_and_writes_nothing(session: DoubleSession, file: Path) -> None:
    done = run(session, "dataset", "import", str(file), "--dry-run")
    assert "+ new  New?" in done.stdout
    assert "nothing was changed" in done.stdout
    assert session.golden.written == []


def test_import_makes_the_dataset_when_there_is_none(file: Path) -> None:
    session = DoubleSession()
    assert run(session, "dataset", "import", str(file)).exit_code == 0
    assert len(session.golden.datasets[NAME]) == 5


def test_a_dry_run_does_not_make_the_dataset(file: Path) -> None:
    session = DoubleSession()
    assert run(session, "dataset", "import", str(file), "--dry-run").exit_code == 0
    assert session.golden.datasets == {}


def test_import_leaves_alone_what_is_only_stored(session: DoubleSession, tmp_path: Path) -> None:
    one = tmp_path / "one.json"
    one.write_text('[{"input": {"question": "Only me?"}, "expected_output": {"response_facts": ["Yes."]}}]', "utf-8")
    data = json.loads(run(session, "dataset", "import", str(one), "--json").stdout)
    assert data["only_stored"] == ["i0", "i1", "i2", "prod-1"]
    assert len(session.golden.datasets[NAME]) == 5


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", "[1, 2]", '[{"input": {}}, {"input": {"question": ""}}]', "\x00\xff", "[" * 5_000,
        '[{"id": "a", "input": {"question": "Q?"}}, {"id": "a", "input": {"question": "R?"}}]',
    ],
)  # fmt: skip
def test_a_wrong_file_changes_nothing_and_ends_with_1(session: DoubleSession, tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_bytes(text.encode("latin-1"))
    done = run(session, "dataset", "import", str(path), "--yes")
    assert done.exit_code == 1
    assert "nothing was changed" in done.stderr
    assert str(path) in done.stderr
    assert session.golden.written == []


def test_all_problems_of_a_file_are_shown_at_once_and_as_data(session: DoubleSession, tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps([{"input": {"question": ""}} for _ in range(30)]), "utf-8")
    done = run(session, "dataset", "import", str(path), "--json")
    problems = json.loads(done.stdout)["problems"]
    assert {p["item"] for p in problems} == set(range(30))
    assert done.stderr.count(f"{path}: ") == len(problems)


def test_a_file_that_is_not_there_is_named(session: DoubleSession) -> None:
    done = run(session, "dataset", "import", "no/such.json")
    assert done.exit_code == 2
    assert "no/such.json cannot be read" in done.stderr


def test_an_import_that_broke_off_is_finished_by_repeating_it(session: DoubleSession, tmp_path: Path) -> None:
    path = tmp_path / "many.json"
    many = [{"id": f"m{n}", "input": {"question": f"Many {n}?"}, "expected_output": {"response_facts": ["F."]}}
            for n in range(40)]  # fmt: skip
    path.write_text(json.dumps(many), "utf-8")
    session.golden.broken_after = 16
    broken = run(session, "dataset", "import", str(path))
    assert broken.exit_code == 2
    assert "try again" in broken.stderr
    session.golden.broken_after = None
    assert json.loads(run(session, "dataset", "import", str(path), "--json").stdout)["written"] == 24
    assert len({i.item_id for i in session.golden.datasets[NAME]}) == 44


# --- export, list ---------------------------------------------------------------------------------------------------


def test_an_export_can_be_imported_and_changes_nothing(session: DoubleSession, tmp_path: Path) -> None:
    path = tmp_path / "sub" / "out.json"
    run(session, "dataset", "export", "--output", str(path))
    data = json.loads(run(session, "dataset", "import", str(path), "--json").stdout)
    assert (data["unchanged"], data["written"]) == (4, 0)


def test_an_export_does_not_depend_on_the_order_of_what_is_stored() -> None:
    texts = {run(DoubleSession(items), "dataset", "export").stdout for items in (_items(), _items()[::-1])}
    assert len(texts) == 1
    assert [i["id"] for i in json.loads(texts.pop())] == ["i0", "i1", "i2", "prod-1"]


def test_export_and_list_of_a_dataset_that_is_not_there_name_the_next_step() -> None:
    for command in ("export", "list"):
        done = run(DoubleSession(), "dataset", command)
        assert done.exit_code == 2
        assert "flywheel dataset import FILE" in done.stderr


def test_list_filters_by_slice_and_refuses_an_unknown_one(session: DoubleSession) -> None:
    assert len(json.loads(run(session, "dataset", "list", "--slice", "happy_path", "--json").stdout)) == 4
    assert json.loads(run(session, "dataset", "list", "--slice", "adversarial", "--json").stdout) == []
    done = run(session, "dataset", "list", "--slice", "happy")
    assert done.exit_code == 2
    assert "expected one of happy_path" in done.stderr


def test_list_shows_questions_origins_and_counts(session: DoubleSession) -> None:
    said = run(session, "dataset", "list").stdout
    assert "Question 1?" in said
    assert f"dataset {NAME}: 4 items (4 happy_path)" in said


# --- mute, unmute ---------------------------------------------------------------------------------------------------


def _mute(session: DoubleSession, item: str = "prod-1", until: str = "2026-12-24", reason: str = "known"):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return run(session, "dataset", "mute", item, "--until", until, "--reason", reason)


def test_a_mute_is_kept_as_the_plan_reads_it(session: DoubleSession) -> None:
    assert _mute(session).exit_code == 0
    assert json.loads(session.ssm.texts["mutes"]) == [{"item_id": "prod-1", "until": "2026-12-24", "reason": "known"}]
    assert json.loads(run(session, "dataset", "list", "--json").stdout)[-1]["muted_until"] == "2026-12-24"
    assert "muted until 2026-12-24" in run(session, "dataset", "list").stdout


def test_muting_again_replaces_date_and_reason(session: DoubleSession) -> None:
    _mute(session)
    _mute(session, until="2027-01-01", reason="still known")
    assert json.loads(session.ssm.texts["mutes"]) == [
        {"item_id": "prod-1", "until": "2027-01-01", "reason": "still known"}
    ]


def test_mutes_that_are_over_are_dropped_by_the_next_one(session: DoubleSession) -> None:
    session.ssm.texts["mutes"] = '[{"item_id": "old", "until": "2020-01-01", "reason": "r"}]'
    _mute(session)
    assert [m["item_id"] for m in json.loads(session.ssm.texts["mutes"])] == ["prod-1"]


@pytest.mark.parametrize(
    ("item", "until", "reason", "said"),
    [
        ("prod-1", "tomorrow", "r", "expected YYYY-MM-DD"),
        ("prod-1", "2026-11-22", "r", "is over already"),
        ("prod-1", "2026-12-24", "  ", "--reason needs"),
        ("prod-1", "2026-12-24", "r" * 501, "--reason needs"),
        ("nobody", "2026-12-24", "r", "there is no item 'nobody'"),
        ("i0", "2026-12-24", "r", "is no regression test"),
    ],
)
def test_a_mute_that_cannot_be_meant_is_refused(
    session: DoubleSession, item: str, until: str, reason: str, said: str
) -> None:
    done = _mute(session, item, until, reason)
    assert done.exit_code == 2
    assert said in done.stderr
    assert session.ssm.texts == {}


def test_mutes_beyond_the_parameters_size_are_refused_and_change_nothing() -> None:
    session = DoubleSession([GoldenItem(f"p{n}", f"Q{n}?", origin="production") for n in range(20)])
    codes = [_mute(session, f"p{n}", reason="x" * 480).exit_code for n in range(20)]
    assert codes[0] == 0
    assert codes[-1] == 2
    assert len(session.ssm.texts["mutes"].encode()) <= 4_096


def test_unmute_makes_the_item_count_again_and_may_be_repeated(session: DoubleSession) -> None:
    _mute(session)
    assert "counts again" in run(session, "dataset", "unmute", "prod-1").stdout
    assert json.loads(session.ssm.texts["mutes"]) == []
    assert json.loads(run(session, "dataset", "unmute", "prod-1", "--json").stdout) == {
        "item_id": "prod-1",
        "was_muted": False,
    }


def test_a_setting_that_is_no_list_of_mutes_is_not_overwritten(session: DoubleSession) -> None:
    session.ssm.texts["mutes"] = '{"prod-1": true}'
    done = _mute(session)
    assert done.exit_code == 2
    assert "correct it" in done.stderr
    assert session.ssm.texts["mutes"] == '{"prod-1": true}'


# --- another dataset, removal, sizes --------------------------------------------------------------------------------


def test_a_dataset_of_another_name_is_made_by_its_first_import(session: DoubleSession, file: Path) -> None:
    done = run(session, "dataset", "import", str(file), "--dataset", "holidays")
    assert done.exit_code == 0, done.output
    assert len(session.golden.datasets["holidays"]) == 5
    assert len(session.golden.datasets[NAME]) == 4
    assert "flywheel gate plan --dataset holidays" in done.stdout
    listed = run(session, "dataset", "list", "--dataset", "holidays", "--json")
    assert len(json.loads(listed.stdout)) == 5


def test_a_dataset_that_is_not_there_is_named_with_the_command_that_makes_it(session: DoubleSession) -> None:
    done = run(session, "dataset", "list", "--dataset", "holidays")
    assert done.exit_code == 2
    assert "flywheel dataset import FILE --dataset holidays" in done.stderr


def test_an_import_says_when_gates_will_refuse_the_dataset_for_its_size(session: DoubleSession, file: Path) -> None:
    done = run(session, "dataset", "import", str(file), "--dry-run", "--json")
    assert "5 items, and the policy asks for 40" in json.loads(done.stdout)["warning"]
    assert "flywheel policy set minimum_items=5" in done.stderr
    session.ssm.texts["policy"] = '{"minimum_items": 5}'
    done = run(session, "dataset", "import", str(file), "--dry-run", "--json")
    assert json.loads(done.stdout)["warning"] is None


def test_remove_takes_items_out_and_says_what_that_means(session: DoubleSession) -> None:
    done = run(session, "dataset", "remove", "i0", "prod-1", "i0")
    assert done.exit_code == 0, done.output
    assert [item.item_id for item in session.golden.datasets[NAME]] == ["i1", "i2"]
    assert "prod-1 came from production and must pass" in " ".join(done.stdout.split())
    assert "2 items are left, and the policy asks for 40" in done.stdout


def test_a_dry_removal_removes_nothing(session: DoubleSession) -> None:
    done = run(session, "dataset", "remove", "i0", "--dry-run", "--json")
    assert json.loads(done.stdout)["removed"] == ["i0"]
    assert len(session.golden.datasets[NAME]) == 4


def test_removing_what_is_not_there_removes_nothing_at_all(session: DoubleSession) -> None:
    done = run(session, "dataset", "remove", "i0", "no-such")
    assert done.exit_code == 1
    assert "no-such: no such item" in done.stdout
    assert len(session.golden.datasets[NAME]) == 4


# --- items that people made by hand ---------------------------------------------------------------------------------

ODD = (
    UnreadableItem("ui-1", "expected_output has neither response_facts nor must_refuse", "write facts"),
    UnreadableItem("ui-2", "input: no question can be read", "write a question"),
)


@pytest.mark.parametrize("command", [["list"], ["export"], ["list", "--json"]])
def test_what_is_no_golden_item_is_told_whole_and_the_command_goes_on(
    session: DoubleSession, command: list[str]
) -> None:
    session.golden.unreadable = ODD
    done = run(session, "dataset", *command)
    assert done.exit_code == 0
    assert "i0" in done.stdout
    assert all(word in done.stderr for word in ("ui-1", "ui-2", "write facts", "flywheel dataset remove ui-1 ui-2"))


def test_an_import_goes_on_beside_them(session: DoubleSession, file: Path) -> None:
    session.golden.unreadable = ODD
    done = run(session, "dataset", "import", str(file))
    assert (done.exit_code, sorted(session.golden.written)) == (0, ["i0", "new"])
    assert "ui-2" in done.stderr


def test_they_can_be_taken_out(session: DoubleSession) -> None:
    session.golden.unreadable = ODD
    done = run(session, "dataset", "remove", "ui-1", "ui-2", "--json")
    assert (done.exit_code, json.loads(done.stdout)["removed"]) == (0, ["ui-1", "ui-2"])


def test_the_plan_says_that_a_gate_is_refused_and_names_them_all(session: DoubleSession) -> None:
    session.golden.unreadable = ODD
    session.ssm.texts["agent"] = '{"model_id": "local.model"}'
    (first, *_) = json.loads(run(session, "gate", "plan", "--json").stdout)["refused"]
    assert all(name in first for name in ("ui-1", "ui-2"))
