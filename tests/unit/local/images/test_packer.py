import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from local.images.oci import REVISION, Image, ImageError, digest_of
from local.images.packer import pack

ENTRYPOINT = ("python", "-m", "agent.app")


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def contents(image: Image) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(image.layers[0]))) as tar:
        return {m.name: tar.extractfile(m).read().decode() for m in tar if m.isfile()}  # type: ignore[union-attr]


def config(image: Image) -> dict[str, object]:
    return dict(json.loads(image.config))


def test_equal_content_has_an_equal_digest_whatever_its_place_and_time(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"app.py": "x = 1", "deep/er.py": "y"})
    two = write(tmp_path / "two", {"deep/er.py": "y", "app.py": "x = 1"})
    os.utime(two / "app.py", (1, 1))

    assert pack(one, entrypoint=ENTRYPOINT) == pack(two, entrypoint=ENTRYPOINT)


@pytest.mark.parametrize(
    "change",
    [{"env": {"A": "1"}}, {"labels": {"l": "1"}}, {"architecture": "amd64"}, {"entrypoint": ("python", "x.py")}],
)
def test_any_other_content_has_another_digest(tmp_path: Path, change: dict[str, object]) -> None:
    source = write(tmp_path / "s", {"app.py": "x = 1"})
    options: dict[str, object] = {"entrypoint": ENTRYPOINT}

    assert pack(source, **options).digest != pack(source, **(options | change)).digest  # type: ignore[arg-type]


def test_an_overlay_replaces_and_adds_files(tmp_path: Path) -> None:
    source = write(tmp_path / "s", {"app.py": "old", "kept.py": "kept"})
    overlay = write(tmp_path / "o", {"app.py": "new", "more/added.py": "added"})

    assert contents(pack(source, overlay, entrypoint=ENTRYPOINT)) == {
        "app/agent/app.py": "new",
        "app/agent/kept.py": "kept",
        "app/agent/more/added.py": "added",
    }


def test_what_a_build_or_an_editor_leaves_is_not_packed(tmp_path: Path) -> None:
    source = write(tmp_path / "s", {"app.py": "x", "__pycache__/app.pyc": "junk", ".git/HEAD": "junk", "a.pyc": "junk"})

    assert list(contents(pack(source, entrypoint=ENTRYPOINT))) == ["app/agent/app.py"]


def test_the_configuration_says_how_to_run_and_where_it_comes_from(tmp_path: Path) -> None:
    source = write(tmp_path / "s", {"app.py": "x"})

    image = pack(source, entrypoint=ENTRYPOINT, env={"B": "2", "A": "1"}, labels={REVISION: "abc"})

    found = config(image)
    assert found["architecture"] == "arm64"
    assert found["config"] == {
        "Entrypoint": list(ENTRYPOINT),
        "Env": ["A=1", "B=2"],
        "WorkingDir": "/app",
        "User": "1000",
        "ExposedPorts": {"8080/tcp": {}},
        "Labels": {REVISION: "abc"},
    }


def test_the_manifest_names_its_parts_by_digest_and_size(tmp_path: Path) -> None:
    image = pack(write(tmp_path / "s", {"app.py": "x"}), entrypoint=ENTRYPOINT)

    manifest = json.loads(image.manifest)

    assert (manifest["config"]["digest"], manifest["config"]["size"]) == (digest_of(image.config), len(image.config))
    assert [layer["digest"] for layer in manifest["layers"]] == [digest_of(layer) for layer in image.layers]
    diff_id = config(image)["rootfs"]["diff_ids"]  # type: ignore[index]
    assert diff_id == [digest_of(gzip.decompress(image.layers[0]))]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "s", {"app.py": "x"})
    (tmp_path / "secret").write_text("key")
    (source / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(ImageError, match="link out of"):
        pack(source, entrypoint=ENTRYPOINT)


@pytest.mark.parametrize(("make", "message"), [(False, "is not a folder"), (True, "holds no file")])
def test_a_missing_or_empty_folder_is_refused(tmp_path: Path, *, make: bool, message: str) -> None:
    source = tmp_path / "nothing"
    if make:
        source.mkdir()

    with pytest.raises(ImageError, match=message):
        pack(source, entrypoint=ENTRYPOINT)


def test_an_image_without_entrypoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="entrypoint"):
        pack(write(tmp_path / "s", {"app.py": "x"}), entrypoint=())


def test_the_commit_stands_in_the_manifest_too(tmp_path: Path) -> None:
    """So that a gate knows it without fetching the configuration."""
    source = write(tmp_path / "s", {"app.py": "x"})

    manifest = json.loads(pack(source, entrypoint=ENTRYPOINT, labels={REVISION: "abc"}).manifest)
    assert manifest["annotations"] == {REVISION: "abc"}
    assert "annotations" not in json.loads(pack(source, entrypoint=ENTRYPOINT).manifest)
