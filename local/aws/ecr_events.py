"""Pushed image, by ECR's API or the registry API -> the "ECR Image Action" event that ECR sends to EventBridge."""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import ecr, eventbridge

from local.aws import patching


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that these patches were written for."""
    patching.wrap(ecr, "_put_image", "657a41f57e5e", _announcing_put_image)
    patching.wrap(ecr, "_v2_put_manifest", "61f30e54dc20", _announcing_put_manifest)


def _announcing_put_image(put_image: Callable[..., Any]) -> Callable[..., Any]:
    def announce(data: dict[str, Any]) -> Any:
        name, tag = data.get("repositoryName", ""), data.get("imageTag")
        data = {"imageManifestMediaType": _media_type(data.get("imageManifest", "")), **data}
        before = _images(name)
        response = put_image(data)
        status, _, body = response
        if status == 200:  # noqa: PLR2004
            image = json.loads(body)["image"]
            _announce(name, image["imageId"]["imageDigest"], tag, image.get("imageManifestMediaType", ""), before)
        return response

    return announce


def _announcing_put_manifest(put_manifest: Callable[..., Any]) -> Callable[..., Any]:
    def announce(name: str, ref: str, headers: dict[str, str], body: Any) -> Any:
        before = _images(name)
        response = put_manifest(name, ref, headers, body)
        if response[0] == 201:  # noqa: PLR2004
            tag = None if ref.startswith("sha256:") else ref
            _announce(name, response[1]["Docker-Content-Digest"], tag, headers.get("content-type", ""), before)
        return response

    return announce


def _media_type(manifest: str) -> str:
    """The one that the manifest says it has; Docker's for one that says nothing, as MiniStack."""
    try:
        return str(json.loads(manifest)["mediaType"])
    except (ValueError, KeyError, TypeError):
        return "application/vnd.docker.distribution.manifest.v2+json"


def _images(name: str) -> set[tuple[str, str | None]]:
    """What the repository holds: (digest, None) for each image and (digest, tag) for each of its tags."""
    held: set[tuple[str, str | None]] = set()
    for image in ecr._images.get(name, []):
        held.add((image["imageDigest"], None))
        held.update((image["imageDigest"], tag) for tag in image.get("imageTags", []))
    return held


def _announce(name: str, digest: str, tag: str | None, media_type: str, before: set[tuple[str, str | None]]) -> None:
    if (digest, tag) in before:
        return  # nothing changed: ECR refuses the API call (ImageAlreadyExistsException) and announces nothing
    detail = {
        "result": "SUCCESS",
        "repository-name": name,
        "image-digest": digest,
        "action-type": "PUSH",
        "image-tag": tag or "",
        "manifest-media-type": media_type,
        "artifact-media-type": "",
    }
    entry = {"Source": "aws.ecr", "DetailType": "ECR Image Action", "Detail": json.dumps(detail), "Resources": []}
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
