"""Manifests as the tools of the trade push them: images, indexes, and everything that is kept beside them."""

import hashlib
import json
from typing import Any

OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
CACHE = "application/vnd.buildkit.cacheconfig.v0"
ARM, AMD = {"os": "linux", "architecture": "arm64"}, {"os": "linux", "architecture": "amd64"}
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def digest(content: str) -> str:
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def descriptor(media_type: str, content: str = "{}", **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content), **more}


def image(config: str = OCI_CONFIG, *layers: str, of: str = "image", **more: Any) -> dict[str, Any]:
    """An image, or an artifact in the form of one. `of` makes its configuration another one."""
    return {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": descriptor(config, of),
        "layers": [descriptor(layer, f"{layer} {of}") for layer in layers or (OCI_LAYER,)],
    } | more


def index(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)} | more


def entry(platform: dict[str, Any] | None, of: str = "image", **more: Any) -> dict[str, Any]:
    stated = {} if platform is None else {"platform": platform}
    return descriptor(OCI_IMAGE, of) | stated | more


def attestation_of(of: str) -> dict[str, Any]:
    """What buildx lists beside an image in its index."""
    annotations = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest(of)}
    return entry(UNKNOWN, f"attestation of {of}", annotations=annotations)


SUBJECT = descriptor(OCI_IMAGE, "image")
# Name -> what registries keep beside images, none of which runs.
BESIDE: dict[str, dict[str, Any]] = {
    "attestation of buildx": image(OCI_CONFIG, "application/vnd.in-toto+json", "application/vnd.in-toto+json"),
    "attestation of buildx as an artifact": image(
        EMPTY, "application/vnd.in-toto+json", artifactType="application/vnd.docker.attestation.manifest.v1+json"
    ),
    "cache of buildx": image(CACHE, OCI_LAYER, OCI_LAYER),
    "cache of buildx as an index": index(descriptor(OCI_LAYER, "a"), descriptor(DOCKER_LAYER, "b"), descriptor(CACHE)),
    "Helm chart": image(
        "application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    ),
    "signature of cosign": image(OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json"),
    "attestation of cosign": image(OCI_CONFIG, "application/vnd.dsse.envelope.v1+json"),
    "bundle of sigstore": image(
        EMPTY,
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        artifactType="application/vnd.dev.sigstore.bundle.v0.3+json",
        subject=SUBJECT,
    ),
    "signature of Notation": image("application/vnd.cncf.notary.signature", "application/jose+json", subject=SUBJECT),
    "SBOM of syft": image(EMPTY, "text/spdx+json", artifactType="application/spdx+json", subject=SUBJECT),
    "SBOM in CycloneDX": image(OCI_CONFIG, "application/vnd.cyclonedx+json"),
    "referrer with an image's configuration": image(OCI_CONFIG, OCI_LAYER, subject=SUBJECT),
    "artifact of ORAS": image(EMPTY, "text/plain", artifactType="application/vnd.example.notes"),
    "artifact without a type": image(EMPTY, EMPTY),
    "artifact with an own configuration": image("application/vnd.example.config+json", OCI_LAYER),
    "OCI artifact manifest": {
        "mediaType": "application/vnd.oci.artifact.manifest.v1+json",
        "artifactType": "application/vnd.example.sbom",
        "blobs": [],
    },
    "WebAssembly": image("application/vnd.wasm.config.v0+json", "application/wasm"),
    "WebAssembly in an image": image(OCI_CONFIG, "application/wasm"),
    "Docker plugin": image("application/vnd.docker.plugin.v1+json", DOCKER_LAYER, mediaType=DOCKER_IMAGE),
    "index of SOCI": image(EMPTY, "application/octet-stream", artifactType="application/vnd.amazon.soci.index.v1+json"),
    "Flux source": image("application/vnd.cncf.flux.config.v1+json", "application/vnd.cncf.flux.content.v1.tar+gzip"),
    "language model": image("application/vnd.docker.ai.model.config.v0.1+json", "application/vnd.docker.ai.gguf.v3"),
    "image with a layer of another kind": image(OCI_CONFIG, OCI_LAYER, "application/x-tar-encrypted"),
    "encrypted image": image(OCI_CONFIG, f"{OCI_LAYER}+encrypted"),
    "image without layers": image() | {"layers": []},
    "referrers of an image, by tag": index(
        entry(None, "sbom", artifactType="application/spdx+json"),
        entry(None, "signature", artifactType="application/vnd.cncf.notary.signature"),
    ),
    "index of attestations only": index(attestation_of("a"), attestation_of("b")),
    "index of charts": index(descriptor("application/vnd.example.chart+json")),
    "index that refers to an image": index(entry(ARM), subject=SUBJECT),
    "index of an artifact": index(entry(ARM), artifactType="application/vnd.example.bundle"),
    "empty index": index(),
    "index of indexes": index(descriptor(OCI_INDEX, "inner", platform=ARM)),
}
ELSEWHERE: dict[str, dict[str, Any]] = {
    "one platform": index(entry(AMD), attestation_of("image")),
    "32 bits": index(entry({"os": "linux", "architecture": "arm", "variant": "v7"})),
    "Windows": index(entry({"os": "windows", "architecture": "arm64", "os.version": "10.0"})),
    "many": index(*(entry({"os": "linux", "architecture": f"cpu{n}"}, str(n)) for n in range(20))),
    "a list of Docker": index(entry(AMD), mediaType=DOCKER_LIST),
}
DEEP = "[" * 100_000 + "]" * 100_000
MALFORMED: dict[str, str] = {
    "nothing": "",
    "no JSON": "not json",
    "a list": "[]",
    "a text": '"image"',
    "null": "null",
    "an empty object": "{}",
    "deep": DEEP,
    "deep inside": json.dumps(image())[:-1] + f', "annotations": {DEEP}}}',
    "huge": json.dumps(image(annotations={"a": "x" * 5_000_000})),
    "a number of many digits": '{"schemaVersion": ' + "9" * 10_000 + "}",
    "a key twice": '{"schemaVersion": 2, "config": {}, "config": {}, "layers": []}',
    "schema 1": json.dumps({"schemaVersion": 1, "name": "agent", "fsLayers": []}),
    "image and index": json.dumps(image() | {"manifests": [entry(ARM)]}),
    "layers without a config": json.dumps({"schemaVersion": 2, "layers": []}),
    "config of no type": json.dumps(image() | {"config": {"digest": digest("x"), "size": 1}}),
    "config is a text": json.dumps(image() | {"config": "x"}),
    "config without a digest": json.dumps(image() | {"config": {"mediaType": OCI_CONFIG}}),
    "config with a bad digest": json.dumps(image() | {"config": {"mediaType": OCI_CONFIG, "digest": "sha256:../.."}}),
    "media type is a number": json.dumps(image(mediaType=7)),
    "artifact type is a list": json.dumps(image(artifactType=["x"])),
    "layer is a text": json.dumps(image() | {"layers": ["x"]}),
    "layers is an object": json.dumps(image() | {"layers": {}}),
    "manifests is an object": json.dumps(index() | {"manifests": {}}),
    "entry is null": json.dumps(index() | {"manifests": [None]}),
    "entry without a digest": json.dumps(index({"mediaType": OCI_IMAGE, "platform": ARM})),
    "platform is a text": json.dumps(index(entry(ARM) | {"platform": "linux/arm64"})),
    "architecture is a number": json.dumps(index(entry({"os": "linux", "architecture": 64}))),
    "too many entries": json.dumps(index(*(entry(AMD) for _ in range(1001)))),
    "an index that says it is an image": json.dumps(index(entry(ARM), mediaType=OCI_IMAGE)),
    "an image that says it is an index": json.dumps(image(mediaType=OCI_INDEX)),
}
