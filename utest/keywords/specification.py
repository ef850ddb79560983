"""The library as Libdoc sees it, without what changes for no reason of ours.

``python -m utest.keywords.specification`` writes it to the golden file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from robot.libdocpkg import LibraryDocumentation

GOLDEN = Path(__file__).with_name("DtsVirtLibrary.json")


def specification() -> str:
    """Return the import arguments and every keyword as JSON text."""
    library = json.loads(LibraryDocumentation("DtsVirtLibrary").to_json(include_private=False))
    content = {
        "scope": library["scope"],
        "import": _arguments(library["inits"][0]),
        "keywords": {item["name"]: _keyword(item) for item in library["keywords"]},
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _keyword(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "arguments": _arguments(item),
        "returns": _type(item["returnType"]),
        "tags": item["tags"],
        "summary": item["shortdoc"],
    }


def _arguments(item: dict[str, Any]) -> list[str]:
    markers = ("POSITIONAL_ONLY_MARKER", "NAMED_ONLY_MARKER")
    return [_argument(argument) for argument in item["args"] if argument["kind"] not in markers]


def _argument(item: dict[str, Any]) -> str:
    name = item["repr"].partition(":")[0].partition("=")[0].strip()
    default = "" if item["defaultValue"] is None else f" = {item['defaultValue']}"
    return f"{name}: {_type(item['type'])}{default} ({item['kind'].lower()})"


def _type(item: dict[str, Any] | None) -> str:
    if item is None:
        return "nothing"
    nested = [_type(part) for part in item["nested"]]
    if item["union"]:
        return " | ".join(nested)
    return f"{item['name']}[{', '.join(nested)}]" if nested else str(item["name"])


if __name__ == "__main__":
    GOLDEN.write_text(specification(), encoding="utf-8")
