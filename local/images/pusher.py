"""Image -> registry, through the OCI distribution API."""

import base64
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from local.images.oci import MANIFEST, Image, ImageError, digest_of

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Basic authentication; for ECR the user is `AWS` and the password an authorization token."""

    user: str
    password: str

    def header(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def push(image: Image, registry_url: str, repository: str, tag: str, credentials: Credentials | None = None) -> str:
    """Push the blobs that the registry lacks, then the manifest under `tag`; the digest.

    Pushing what is there already is no error. A registry announces a push when the manifest arrives, so an image is
    complete when its event is sent.

    Raises:
        ImageError: the registry cannot be reached, refuses, or stored other bytes than were sent.
    """
    headers = {"Authorization": credentials.header()} if credentials else {}
    base = f"{registry_url.rstrip('/')}/v2/{quote(repository)}"
    with httpx.Client(headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
        try:
            for blob in (*image.layers, image.config):
                _push_blob(client, base, blob)
            put = client.put(
                f"{base}/manifests/{quote(tag, safe='')}", content=image.manifest, headers={"Content-Type": MANIFEST}
            )
        except httpx.HTTPError as error:
            raise ImageError(f"the registry at {registry_url} did not answer ({error}); is it running?") from error
    _accept(put, httpx.codes.CREATED, f"the manifest as {repository}:{tag}")
    stored = put.headers.get("Docker-Content-Digest", image.digest)
    if stored != image.digest:
        raise ImageError(f"the registry stored {stored}, but {image.digest} was pushed")
    return image.digest


def digest_at(registry_url: str, repository: str, tag: str) -> str | None:
    """Digest of the image under `tag`; None when there is no such tag or repository.

    Raises:
        ImageError: the registry cannot be reached.
    """
    url = f"{registry_url.rstrip('/')}/v2/{quote(repository)}/manifests/{quote(tag, safe='')}"
    try:
        with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
            found = client.head(url, headers={"Accept": MANIFEST})
    except httpx.HTTPError as error:
        raise ImageError(f"the registry at {registry_url} did not answer ({error}); is it running?") from error
    return found.headers.get("Docker-Content-Digest") if found.status_code == httpx.codes.OK else None


def _push_blob(client: httpx.Client, base: str, blob: bytes) -> None:
    digest = digest_of(blob)
    if client.head(f"{base}/blobs/{digest}").status_code == httpx.codes.OK:
        return
    start = client.post(f"{base}/blobs/uploads/")
    _accept(start, httpx.codes.ACCEPTED, "an upload")
    location = httpx.URL(base).join(start.headers["Location"]).copy_merge_params({"digest": digest})
    done = client.put(location, content=blob, headers={"Content-Type": "application/octet-stream"})
    _accept(done, httpx.codes.CREATED, f"the blob {digest}")


def _accept(response: httpx.Response, expected: int, what: str) -> None:
    if response.status_code == expected:
        return
    hint = ""
    if response.status_code == httpx.codes.NOT_FOUND:
        hint = "; is there a repository of this name? It comes with the stack: flywheel local up"
    elif response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        hint = "; sign in to the registry first"
    raise ImageError(f"the registry refused {what}: {response.status_code} {response.text[:300]}{hint}")
