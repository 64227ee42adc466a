"""What the site needs beyond docs/, as mkdocs' hook: pages from the repository's root, and links that leave docs/.

Pages are written for GitHub, where `[x](../agents/x.py)` works. The site has pages only: there it leads to GitHub.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "CHANGELOG.md": "changelog.md",
}
_SOURCES = {page: source for source, page in PAGES.items()}
_RELATIVE = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]+)?\)")


def on_config(config: MkDocsConfig) -> None:
    """Anchors as GitHub makes them."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")


def on_files(files: Files, config: MkDocsConfig) -> None:
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(_root(config) / source)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    del files
    name = page.file.src_uri

    def led(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(_SOURCES.get(name, f"docs/{name}")), link[1]))
        return f"]({_address(path, name, config)}{link[2] or ''})"

    return _RELATIVE.sub(led, markdown)


def _address(path: str, page: str, config: MkDocsConfig) -> str:
    """Where `page` finds what is at `path` in the repository: in the site, or else on GitHub."""
    if path in PAGES or path.startswith("docs/"):
        return posixpath.relpath(PAGES.get(path, path.removeprefix("docs/")), posixpath.dirname(page) or ".")
    kind = "tree" if (_root(config) / path).is_dir() else "blob"
    return f"{config.repo_url.rstrip('/')}/{kind}/main/{path}"


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent
