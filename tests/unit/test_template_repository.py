"""How long images stay: those of releases whatever their age, all others longer than any gate lasts."""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode

from flywheel.domain.pushes import asks_for_nothing, release_tag
from flywheel.release_tags import KEPT

ROOT = Path(__file__).parents[2]
LONGEST_HOLD_DAYS = 30  # `hold_h` of the policy, at most


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded, problems = decode(str(ROOT / "template.yaml"))
    assert not problems
    plain: dict[str, Any] = json.loads(json.dumps(loaded))
    return plain


@pytest.fixture(scope="module")
def rules(template: dict[str, Any]) -> list[dict[str, Any]]:
    policy = template["Resources"]["Repository"]["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"]["Fn::Sub"]
    days = template["Parameters"]["ImageRetentionDays"]["Default"]
    found: list[dict[str, Any]] = json.loads(policy.replace("${ImageRetentionDays}", str(days)))["rules"]
    return sorted(found, key=lambda rule: rule["rulePriority"])


def test_an_image_of_a_release_is_matched_by_the_first_rule_so_that_no_other_can_expire_it(
    rules: list[dict[str, Any]],
) -> None:
    (pattern,) = rules[0]["selection"]["tagPatternList"]
    assert all(fnmatch(release_tag(number), pattern) for number in (1, 12, 123_456, 1_234_567))
    assert not any(fnmatch(tag, pattern) for tag in ("latest", "v1", "release-1", "my-flywheel-release-1"))
    assert rules[0]["selection"]["countType"] == "imageCountMoreThan"
    assert rules[0]["selection"]["countNumber"] >= 10 * KEPT


def test_everything_else_expires_by_age_and_by_the_last_rule(rules: list[dict[str, Any]]) -> None:
    (other,) = rules[1:]
    assert other["selection"]["tagStatus"] == "any"
    assert (other["selection"]["countType"], other["selection"]["countUnit"]) == ("sinceImagePushed", "days")


def test_no_image_expires_while_its_gate_waits_for_a_person(template: dict[str, Any]) -> None:
    assert template["Parameters"]["ImageRetentionDays"]["MinValue"] > LONGEST_HOLD_DAYS


def test_the_tag_that_spares_an_image_starts_no_gate() -> None:
    assert asks_for_nothing(release_tag(7))
