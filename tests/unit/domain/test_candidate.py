from dataclasses import replace

import pytest

from flywheel.domain.candidate import Candidate

ONE = Candidate("repo", "sha256:" + "a" * 64, "model", parameters=(("top_k", 5), ("temperature", 0.5)))


def test_equal_content_has_one_id_whatever_the_order_of_its_parameters() -> None:
    other = Candidate("repo", "sha256:" + "a" * 64, "model", parameters=(("temperature", 0.5), ("top_k", 5)))
    assert other == ONE
    assert other.candidate_id == ONE.candidate_id
    assert hash(other) == hash(ONE)


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, repository_uri="x"),
        replace(ONE, image_digest="sha256:" + "b" * 64),
        replace(ONE, model_id="x"),
        replace(ONE, prompt_name="p", prompt_version=1),
        replace(ONE, parameters=()),
    ],
)
def test_every_part_counts_in_the_id(other: Candidate) -> None:
    assert other.candidate_id != ONE.candidate_id


@pytest.mark.parametrize("digest", ["", "latest", "sha256:", "sha256:" + "A" * 64, "sha256:" + "a" * 64 + "\n"])
def test_only_a_digest_names_an_image(digest: str) -> None:
    with pytest.raises(ValueError, match="not an image digest"):
        replace(ONE, image_digest=digest)


def test_half_a_prompt_is_none() -> None:
    with pytest.raises(ValueError, match="both its name and its version"):
        replace(ONE, prompt_name="p")


def test_it_survives_its_dictionary_and_names_its_image_by_digest() -> None:
    assert Candidate.from_dict(ONE.to_dict()) == ONE
    assert ONE.image_uri == "repo@sha256:" + "a" * 64
