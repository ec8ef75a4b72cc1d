import pytest

from local.agentcore.control_plane import ControlPlaneError, split_image_uri

REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (f"{REGISTRY}/agent@sha256:ab", ("agent", "sha256:ab")),
        (f"{REGISTRY}/team/agent:v1", ("team/agent", "v1")),
        ("127.0.0.1:4566/agent:v1", ("agent", "v1")),
    ],
)
def test_an_image_is_named_by_repository_and_reference(uri: str, expected: tuple[str, str]) -> None:
    assert split_image_uri(uri) == expected


@pytest.mark.parametrize(
    "uri", ["", "agent", "agent:v1", f"{REGISTRY}/", f"{REGISTRY}/agent", f"{REGISTRY}/agent@", "/a:b"]
)
def test_anything_else_is_refused(uri: str) -> None:
    with pytest.raises(ControlPlaneError, match="not of the form"):
        split_image_uri(uri)
