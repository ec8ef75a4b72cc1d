"""Images on disk: each digest is pulled and unpacked once, however many runtimes use it."""

import hashlib
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import quote

import httpx

from local.images.oci import ImageError, is_digest
from local.images.puller import ImageConfig, pull


class ImageStore:
    """Blocking; safe to use from several threads."""

    def __init__(self, folder: Path, registry_url: str) -> None:
        self._folder, self._registry_url = folder, registry_url.rstrip("/")
        self._locks: dict[str, threading.Lock] = {}
        self._ready: dict[str, ImageConfig] = {}
        self._guard = threading.Lock()

    def fetch(self, repository: str, reference: str) -> tuple[str, Path, ImageConfig]:
        """(digest, root folder, configuration) of an image given by digest or tag.

        Raises:
            ImageError: it does not exist or cannot be used.
        """
        digest = reference if is_digest(reference) else self._resolve(repository, reference)
        # The folder's name does not tell the digest: the agent's own output must not be able to reveal it.
        folder = self._folder / hashlib.sha256(f"rootfs of {digest}".encode()).hexdigest()[:16]
        with self._guard:
            lock = self._locks.setdefault(digest, threading.Lock())
        with lock:
            if digest not in self._ready:
                shutil.rmtree(folder, ignore_errors=True)
                self._ready[digest] = pull(self._registry_url, repository, digest, folder, headers={})
            return digest, folder, self._ready[digest]

    def _resolve(self, repository: str, tag: str) -> str:
        url = f"{self._registry_url}/v2/{quote(repository)}/manifests/{quote(tag, safe='')}"
        for attempt in range(3):
            try:
                response = httpx.head(url, timeout=10, trust_env=False)
            except httpx.HTTPError as error:
                if attempt == 2:  # noqa: PLR2004
                    raise ImageError(f"the registry did not answer for {repository}:{tag}: {error}") from error
                time.sleep(0.2)
                continue
            digest = response.headers.get("Docker-Content-Digest", "")
            if response.status_code == httpx.codes.OK and is_digest(digest):
                return str(digest)
            break
        raise ImageError(f"the image {repository}:{tag} does not exist")
