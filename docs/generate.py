"""Writes docs/reference from what the collection says of itself: `python docs/generate.py`.

Roles are read from their argument specs, modules and plugins through ansible-doc, playbooks from
their first comment and the names of their plays. `--check` writes nothing and fails where a page
differs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs/reference"
COLLECTION = "celeryops.cluster"

_NOTE = "<!-- Written by docs/generate.py: change the source and run `make docs`. -->"
_MARKUP = re.compile(
    r"\b(?:(?P<code>C|V|O|RV|E|P|M)|(?P<bold>B)|(?P<italic>I)|(?P<url>U)|(?P<link>L)|(?P<ref>R))"
    r"\((?P<text>(?:\\.|[^)\\])*)\)"
)


def main() -> int:
    """Writes or compares the pages; 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(description="Writes docs/reference.")
    parser.add_argument("--check", action="store_true", help="only compare, and fail if different")
    check = parser.parse_args().check
    pages = {
        REFERENCE / "roles.md": roles_page(ROOT),
        REFERENCE / "modules.md": plugins_page("Modules", documented(ROOT, "module")),
        REFERENCE / "plugins.md": plugins_page(
            "Plugins", documented(ROOT, "inventory"), documented(ROOT, "filter")
        ),
        REFERENCE / "playbooks.md": playbooks_page(ROOT),
    }
    if not check:
        REFERENCE.mkdir(exist_ok=True)
        for path, text in pages.items():
            path.write_text(text, encoding="utf-8")
        return 0
    outdated = [
        path
        for path, text in pages.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in outdated:
        print(f"{path.relative_to(ROOT)} is out of date: run `make docs`")
    return 1 if outdated else 0


# --- roles -----------------------------------------------------------------


def roles_page(root: Path) -> str:
    """The page of the roles that users apply; those named `_…` only serve them."""
    paths = [path for path in sorted(root.glob("roles/[a-z]*")) if path.is_dir()]
    return _page("Roles", (role_section(path) for path in paths))


def role_section(role: Path) -> str:
    """What a role does, its variables and its entry points."""
    specs = _load(role / "meta/argument_specs.yml")["argument_specs"]
    defaults = _load(role / "defaults/main.yml") or {}
    main = specs["main"]
    parts = [
        f"## {role.name}",
        f"**{to_markdown(main['short_description'])}**",
        *map(to_markdown, _paragraphs(main.get("description"))),
        _table(
            ("Variable", "Type", "Default", "Description"),
            option_rows(main.get("options") or {}, "options", defaults),
        ),
    ]
    verbs = {name: spec for name, spec in specs.items() if name != "main"}
    if verbs:
        rows = ([f"`{name}`", *_verb_cells(spec, defaults)] for name, spec in verbs.items())
        parts.append(f"Entry points, called with `tasks_from` of `{COLLECTION}.{role.name}`:")
        parts.append(_table(("Entry point", "What it does", "Parameters"), rows))
    return "\n\n".join(parts)


def _verb_cells(spec: dict[str, Any], defaults: dict[str, Any]) -> tuple[str, str]:
    text = [spec["short_description"], *_paragraphs(spec.get("description"))]
    own = {name: opt for name, opt in (spec.get("options") or {}).items() if name.startswith("_")}
    parameters = [
        f"{name} ({kind}, {default}): {description}"
        for name, kind, default, description in option_rows(own, "options", defaults)
    ]
    return _cell(to_markdown(_sentences(text))), "<br>".join(parameters)


# --- modules and plugins ---------------------------------------------------


def documented(root: Path, kind: str) -> dict[str, Any]:
    """What ansible-doc says about the collection's plugins of a kind, by their full names."""
    folder = "modules" if kind == "module" else kind
    names = sorted(path.stem for path in root.glob(f"plugins/{folder}/[a-z]*.py"))
    if not names:
        return {}
    # The collection that is linked into this environment wins over one that the user has installed.
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": sysconfig.get_path("purelib")}
    command = [sys.executable, "-m", "ansible", "doc", "--type", kind, "--json"]
    answer = subprocess.run(
        [*command, *(f"{COLLECTION}.{name}" for name in names)],
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if answer.returncode != 0:
        sys.exit(f"ansible-doc can't read a {kind}: mend the documentation that it names above.")
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def plugins_page(title: str, *kinds: dict[str, Any]) -> str:
    """A page of modules or plugins, kind by kind, from ansible-doc's answers."""
    return _page(title, (plugin_section(n, kind[n]) for kind in kinds for n in sorted(kind)))


def plugin_section(name: str, plugin: dict[str, Any]) -> str:
    """What a module or plugin does, its options, attributes, examples and returns."""
    doc = plugin["doc"]
    parts = [
        f"## {name.removeprefix(COLLECTION + '.')}",
        f"**{to_markdown(doc['short_description'])}**",
        *map(to_markdown, _paragraphs(doc.get("description"))),
        _table(
            ("Option", "Type", "Default", "Description"),
            option_rows(doc.get("options") or {}, "suboptions", {}),
        ),
    ]
    if doc.get("attributes"):
        parts.append(
            _table(("Attribute", "Support", "Details"), _attribute_rows(doc["attributes"]))
        )
    if plugin.get("examples"):
        parts.append(f"```yaml\n{plugin['examples'].strip()}\n```")
    if plugin.get("return"):
        parts.append(
            _table(("Returned", "Type", "When", "Description"), return_rows(plugin["return"]))
        )
    return "\n\n".join(parts)


def _attribute_rows(attributes: dict[str, Any]) -> Iterator[list[str]]:
    for name, attribute in sorted(attributes.items()):
        details = [
            *_paragraphs(attribute.get("description")),
            *_paragraphs(attribute.get("details")),
        ]
        yield [f"`{name}`", attribute.get("support", ""), _cell(to_markdown(_sentences(details)))]


def return_rows(returns: dict[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """The rows of what a module returns, each followed by those of its keys."""
    for name, value in returns.items():
        yield [
            f"`{prefix}{name}`",
            _type(value),
            _cell(to_markdown(str(value.get("returned", "")))),
            _cell(to_markdown(_sentences(_paragraphs(value.get("description"))))),
        ]
        yield from return_rows(value.get("contains") or {}, _inside(prefix + name, value))


# --- playbooks -------------------------------------------------------------


def playbooks_page(root: Path) -> str:
    """The page of the playbooks that can be run by name."""
    return _page("Playbooks", map(playbook_section, sorted(root.glob("playbooks/*.yml"))))


def playbook_section(path: Path) -> str:
    """What a playbook says of itself and the plays that it consists of."""
    text = path.read_text(encoding="utf-8")
    parts = [
        f"## {path.stem}",
        first_comment(text),
        f"`{COLLECTION}.{path.stem}`",
        "\n".join(f"{number}. {play}" for number, play in enumerate(_plays(path), start=1)),
    ]
    return "\n\n".join(part for part in parts if part)


def first_comment(text: str) -> str:
    """The comment at the top of a YAML text, without its marks."""
    lines = text.splitlines()
    if lines[:1] == ["---"]:
        del lines[0]
    comment = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(comment)


def _plays(path: Path) -> Iterator[str]:
    """The plays of a playbook; in full those that several share, with a link those of another."""
    for play in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        imported = play.get("ansible.builtin.import_playbook", play.get("import_playbook"))
        if imported is None:
            yield f"{play.get('name', 'Unnamed')} (`{play['hosts']}`)"
        elif (shared := path.parent / str(imported)).parent != path.parent:
            yield from _plays(shared)
        else:
            name = str(imported).removesuffix(".yml").removeprefix(f"{COLLECTION}.")
            yield f"{play.get('name', 'All')} (the plays of [{name}](#{name}))"


# --- what the pages share --------------------------------------------------


def option_rows(
    options: dict[str, Any], inner: str, defaults: dict[str, Any], prefix: str = ""
) -> Iterator[list[str]]:
    """The rows of options, each followed by those of its keys, which its spec has under `inner`.

    `defaults` has what the specs can't state: the expressions of values that are computed.
    """
    for name, option in options.items():
        yield [
            f"`{prefix}{name}`",
            _type(option),
            _default(option, defaults.get(name)),
            _cell(to_markdown(_sentences(_described(option)))),
        ]
        yield from option_rows(option.get(inner) or {}, inner, {}, _inside(prefix + name, option))


def _described(option: dict[str, Any]) -> Iterator[str]:
    yield from _paragraphs(option.get("description"))
    if option.get("choices"):
        yield "One of " + ", ".join(f"V({choice})" for choice in option["choices"])


def _default(option: dict[str, Any], computed: Any) -> str:
    if option.get("required"):
        return "**required**"
    value = option.get("default")
    if value is not None:
        return _code(json.dumps(value, ensure_ascii=False))
    return "computed" if computed is not None else ""


def _type(option: dict[str, Any]) -> str:
    kind = str(option.get("type", ""))
    return f"{kind} of {option['elements']}" if option.get("elements") else kind


def _inside(name: str, option: dict[str, Any]) -> str:
    """What stands before a key: `pools[].` for one of a list's items, `limits.` for a dict's."""
    return f"{name}[]." if option.get("type") == "list" else f"{name}."


def _paragraphs(description: str | list[str] | None) -> list[str]:
    return [description] if isinstance(description, str) else list(description or [])


def _sentences(paragraphs: Iterable[str]) -> str:
    """Paragraphs in one line, each ended by a full stop."""
    texts = (" ".join(paragraph.split()) for paragraph in paragraphs)
    return " ".join(
        text if text.endswith((".", "!", "?")) else f"{text}." for text in texts if text
    )


def to_markdown(text: str) -> str:
    """Ansible's markup, such as C(code) and L(text,url), as Markdown."""
    return _MARKUP.sub(_converted, text)


def _converted(match: re.Match[str]) -> str:
    text = re.sub(r"\\(.)", r"\1", match["text"])
    if match["code"]:
        # O(a.b.module#module:option) names another module's option, P(a.b.site#playbook) a plugin.
        return "`" + re.sub(r"^[\w.]+#\w+:|#\w+$", "", text) + "`"
    if match["bold"]:
        return f"**{text}**"
    if match["italic"]:
        return f"*{text}*"
    if match["url"]:
        return f"<{text}>"
    shown, _, target = text.partition(",")
    return f"[{shown}]({target.strip()})" if match["link"] else shown


def _code(text: str) -> str:
    return _cell(f"`{text}`")


def _cell(text: str) -> str:
    """A text that keeps within its cell: a bar would end it, even in code."""
    return " ".join(text.split()).replace("|", r"\|")


def _table(heading: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    body = [f"| {' | '.join(row)} |" for row in rows]
    if not body:
        return f"No {heading[0].lower()}s."
    return "\n".join([f"| {' | '.join(heading)} |", "|---" * len(heading) + "|", *body])


def _page(title: str, sections: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", _NOTE, *sections]) + "\n"


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
