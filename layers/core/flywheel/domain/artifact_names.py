"""What registries keep beside images, by its media type -> what people call it."""

from flywheel.domain.image_platform import plain

# By the beginning of the media type of a manifest's config, layers or artifact.
_KNOWN = {
    "application/vnd.buildkit.cacheconfig.": "a build cache",
    "application/vnd.cncf.helm.": "a Helm chart",
    "application/vnd.cncf.notary.": "a signature (Notation)",
    "application/vnd.dev.cosign.": "a signature or attestation (cosign)",
    "application/vnd.dev.sigstore.": "a signature or attestation (Sigstore)",
    "application/vnd.dsse.": "an attestation",
    "application/vnd.in-toto": "an attestation",
    "application/vnd.docker.attestation.": "an attestation",
    "application/vnd.cyclonedx": "an SBOM",
    "application/spdx": "an SBOM",
    "text/spdx": "an SBOM",
    "application/vnd.wasm.": "a WebAssembly module",
    "application/wasm": "a WebAssembly module",
    "application/vnd.docker.plugin.": "a Docker plugin",
    "application/vnd.amazon.soci.": "a SOCI index",
    "application/vnd.oci.empty.": "an OCI artifact",
}


def artifact_name(media_type: str) -> str:
    """Such as `a Helm chart (application/vnd.cncf.helm.config.v1+json)`."""
    name = next((name for start, name in _KNOWN.items() if media_type.startswith(start)), "something else")
    return f"{name} ({plain(media_type)})"
