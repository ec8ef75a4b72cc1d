"""Releases -> a tag on the image of each, by which the repository's lifecycle policy spares them."""

from collections.abc import Sequence

from flywheel.domain.pushes import release_tag
from flywheel.errors import NotFoundError
from flywheel.ports import ReleaseStore, ReleaseTags, TaggedImage

# As many as a roll-back or an anchor may go back to.
KEPT = 50


def tag_releases(releases: ReleaseStore, tags: ReleaseTags, tagged: Sequence[TaggedImage]) -> tuple[str, ...]:
    """Tag the images of production and of the last releases; give the digests that are not there any more.

    A tag is never taken away: ECR deletes an image with its last one.
    """
    known = {(image.digest, tag) for image in tagged for tag in image.tags}
    gone: list[str] = []
    for release in releases.releases(KEPT):
        digest, tag = release.candidate.image_digest, release_tag(release.release_no)
        if (digest, tag) in known:
            continue
        try:
            tags.add_tag(digest, tag)
        except NotFoundError:
            gone.append(digest)
    return tuple(gone)
