"""What ECR says of the images that it holds: where a blob can be downloaded, and which images have a tag."""

import json
import os
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

from local.aws import patching


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that these patches were written for."""
    patching.wrap(ecr, "_get_download_url_for_layer", "56e5002b00dc", _with_blobs)
    patching.wrap(ecr, "_describe_images", "86c7f7b273ab", _with_filter)


def _with_blobs(get_url: Callable[..., Any]) -> Callable[..., Any]:
    """Give an address of this emulator: MiniStack's is one of AWS, where there is nothing."""

    def get_download_url_for_layer(data: dict[str, Any]) -> Any:
        name, digest = data.get("repositoryName", ""), data.get("layerDigest", "")
        if name not in ecr._repositories:
            return get_url(data)
        if digest not in ecr._layer_blobs.get(name, {}):
            message = f"The layer with digest '{digest}' does not exist in the repository with name '{name}'"
            return error_response_json("LayersNotFoundException", message, 400)
        url = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}/v2/{name}/blobs/{digest}"
        return json_response({"downloadUrl": url, "layerDigest": digest})

    return get_download_url_for_layer


def _with_filter(describe: Callable[..., Any]) -> Callable[..., Any]:
    """Leave out what the request's tagStatus leaves out; the artifact's type is that of its configuration."""

    def describe_images(data: dict[str, Any]) -> Any:
        status, headers, body = describe(data)
        if status != 200:  # noqa: PLR2004
            return status, headers, body
        wanted = data.get("filter", {}).get("tagStatus", "ANY")
        manifests = {image["imageDigest"]: image.get("imageManifest", "") for image in _images(data)}
        details = []
        for image in json.loads(body)["imageDetails"]:
            if wanted == ("UNTAGGED" if image["imageTags"] else "TAGGED"):
                continue
            details.append(image | {"artifactMediaType": _artifact_type(manifests.get(image["imageDigest"], ""))})
        return json_response({"imageDetails": details})

    return describe_images


def _images(data: dict[str, Any]) -> list[dict[str, Any]]:
    return list(ecr._images.get(data.get("repositoryName", ""), []))


def _artifact_type(manifest: str) -> str:
    try:
        found = json.loads(manifest)
        return str(found.get("artifactType") or found["config"]["mediaType"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
