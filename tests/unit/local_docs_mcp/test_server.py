from local.docs_mcp.corpus import load_pages
from local.docs_mcp.index import DocsIndex
from local.docs_mcp.server import search, write_overview


def test_the_overview_names_every_page_and_opens_with_what_langfuse_is() -> None:
    pages = load_pages()
    overview = write_overview(pages)
    assert overview.startswith("# Langfuse overview\n\nLangfuse is an open source platform")
    assert all(f"]({page.path})" in overview for page in pages if page.path != "/docs")


def test_a_result_names_page_and_section() -> None:
    first, *_ = search(DocsIndex(load_pages()), "webhook signature")
    assert first.title == "Webhooks: Signature"
    assert first.url == "/docs/prompt-management/features/webhooks-slack-integrations"
    assert first.score > 0
