"""`ObjectStore` in a dict."""

from threading import Lock

from flywheel.errors import NotFoundError


class InMemoryObjects:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = Lock()

    def read(self, key: str) -> bytes:
        if key not in self.objects:
            raise NotFoundError(key)
        return self.objects[key]

    def create(self, key: str, body: bytes, content_type: str = "application/json") -> bool:
        with self._lock:
            if key in self.objects:
                return False
            self.objects[key] = body
            return True

    def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
        self.objects[key] = body

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))
