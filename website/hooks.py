"""What the site holds beside docs/: the root's texts, and the reference of the commands, read from the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer
from jupyter_client.manager import KernelManager
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from hqgan.cli import main as cli

ROOT = Path(__file__).parents[1]
TEXTS = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Texts of the root that are pages of the site, by their names in small letters."""
COMMANDS = "<!-- commands -->"
"""The place in docs/cli.md that the reference is put into."""
MERMAID = re.compile(r"<script type=\"module\">(?:(?!</script>).)*mermaid(?:(?!</script>).)*</script>", re.S)


def on_config(config: MkDocsConfig) -> None:
    """Have notebooks' kernels encrypt what goes to them and back: they warn of anything else."""
    KernelManager.transport_encryption.default_value = "auto"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the root's texts; their links into docs/ are links within it here."""
    for name in TEXTS:
        text = (ROOT / name).read_text().replace("](docs/", "](")
        files.append(File.generated(config, name.lower(), content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to the root's texts into links to their pages, and write the commands' reference."""
    names = "|".join(TEXTS).replace(".", r"\.")
    markdown = re.sub(rf"\]\(\.\./((?:\.\./)*)({names})", lambda m: f"]({m[1]}{m[2].lower()}", markdown)
    return markdown.replace(COMMANDS, reference()) if COMMANDS in markdown else markdown


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Take out of notebooks the script that would fetch mermaid from elsewhere; no notebook here draws by it."""
    return MERMAID.sub("", output)


def reference() -> str:
    """Every command with its arguments and options, as Markdown."""
    group = typer.main.get_command(cli.app)
    return "\n\n".join(_sections(group, typer.Context(group, info_name="hqgan"), level=2))


# Typer brings its own copy of click, whose classes have no public name: hence Any.
def _sections(command: Any, context: Any, level: int) -> list[str]:
    if hasattr(command, "commands"):
        own = [f"{'#' * level} {context.command_path}", command.help or ""] if context.parent else []
        deeper = level + 1 if context.parent else level
        for name, child in command.commands.items():
            own += _sections(child, typer.Context(child, info_name=name, parent=context), deeper)
        return own
    usage = command.get_usage(context).removeprefix("Usage:").strip()
    found = [f"{'#' * level} {context.command_path}", command.help or "", f"```text\n{usage}\n```"]
    records = [p.get_help_record(context) for p in command.params if p.name != "help"]
    rows = [
        f"| `{_cell(name.replace(' range', ''))}` | {_cell(text.replace('<', '&lt;'))} |"
        for name, text in filter(None, records)
    ]
    if rows:
        found.append("\n".join(["| argument or option | what it is |", "| --- | --- |", *rows]))
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
