from pathlib import Path

import pytest

from local.docs_mcp.corpus import CorpusError, load_pages, parse_page

PAGE = "---\ntitle: Tags\npath: /docs/tags\n---\n\nTags label traces. They filter.\n\n## Add tags\n\nSet\nthem.\n"


def test_a_page_is_split_at_its_headings() -> None:
    page = parse_page("tags.md", PAGE)
    assert [(p.heading, p.text) for p in page.passages] == [
        ("Tags", "Tags label traces. They filter."),
        ("Add tags", "Set them."),
    ]
    assert page.summary == "Tags label traces."


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "must start with"),
        ("title: x\n", "must start with"),
        (PAGE.replace("path: /docs/tags\n", ""), "must start with"),
        (PAGE.replace("Tags label traces. They filter.", ""), "no text under 'Tags'"),
        (PAGE + "\n## Empty\n", "no text under 'Empty'"),
    ],
)
def test_a_malformed_page_is_named_with_its_fault(source: str, reason: str) -> None:
    with pytest.raises(CorpusError, match=rf"tags\.md: .*{reason}"):
        parse_page("tags.md", source)


def test_two_pages_with_one_path_are_refused(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(PAGE, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"b\.md: path /docs/tags is taken"):
        load_pages(tmp_path)


def test_a_folder_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no pages"):
        load_pages(tmp_path)


def test_the_corpus_of_the_project_is_whole() -> None:
    pages = load_pages()
    assert len(pages) >= 40
    assert all(len(p.text.split()) <= 120 for page in pages for p in page.passages)
