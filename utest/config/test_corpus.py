"""The files in atest/compatibility, each with what is expected of it beside it.

``NAME.expected.yaml`` holds for each VM of the file the parts of its specification that
matter, or ``refused``: how the error begins. ``file`` instead of VMs is how the error
for the whole file begins. ``class`` is that of a part; yes, no and none stand for
truth values and None.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from DtsVirtLibrary.config import ConfigFile, build_spec, load_file
from DtsVirtLibrary.errors import ConfigError
from utest.config.test_properties import FRAGMENTS, PATIENT

CORPUS = Path(__file__).parents[2] / "atest" / "compatibility"
FILES = sorted(CORPUS.glob("*.cfg"))
CONSTANTS = {True: "yes", False: "no", None: "none"}


def load(path: Path) -> ConfigFile:
    """Return a file of the corpus."""
    return load_file(path.name, path.read_bytes())


def expectation(path: Path) -> dict[str, Any]:
    """Return what is expected of a file, all of it as text."""
    text = path.with_suffix(".expected.yaml").read_text(encoding="utf-8")
    expected = yaml.load(text, Loader=yaml.BaseLoader)
    assert isinstance(expected, dict)
    return expected


def differences(place: str, found: object, expected: object) -> list[str]:
    """Return what of the expected parts is not found; parts not mentioned do not matter."""
    if isinstance(expected, dict):
        found = {**_parts(found), "class": type(found).__name__}
        return [
            difference
            for name, part in expected.items()
            for difference in differences(f"{place}.{name}", found.get(name, "missing"), part)
        ]
    if isinstance(expected, list):
        items = list(found) if isinstance(found, tuple) else [found]
        if len(items) != len(expected):
            return [f"{place}: {len(items)} instead of {len(expected)}: {items}"]
        return [
            difference
            for number, part in enumerate(expected)
            for difference in differences(f"{place}[{number}]", items[number], part)
        ]
    text = _text(found)
    return [] if text == expected else [f"{place}: {text!r} instead of {expected!r}"]


def _parts(found: object) -> dict[str, object]:
    if isinstance(found, Mapping):
        return dict(found)
    return dict(vars(found)) if hasattr(found, "__dict__") else {}


def _text(found: object) -> str:
    if found is None or isinstance(found, bool):
        return CONSTANTS[found]
    return str(found.value) if isinstance(found, Enum) else str(found)


def test_the_corpus_is_there() -> None:
    assert len(FILES) >= 40
    expectations = CORPUS.glob("*.expected.yaml")
    assert sorted(path.name.split(".")[0] for path in expectations) == [f.stem for f in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path: Path) -> None:
    expected = expectation(path)
    if "file" in expected:
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(caught.value).startswith(expected["file"])
        return
    file = load(path)
    assert set(expected) - {"KVM"} == set(file.sections)
    for name, parts in expected.items():
        if "refused" in parts:
            with pytest.raises(ConfigError) as caught:
                build_spec(name, file.section(name))
            assert str(caught.value).startswith(parts["refused"])
        else:
            spec = build_spec(name, file.section(name))
            assert not differences(name, spec, parts)


@PATIENT
@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(FILES))
    text = path.read_bytes().decode()
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 20)))
        text = text[:begin] + data.draw(st.one_of(st.just(""), FRAGMENTS)) + text[end:]
    for name in ("a.cfg", "a.yaml"):
        message = read(name, text)
        assert message is None or message.startswith(name)


def read(name: str, text: str) -> str | None:
    """Return the first error that a file and its VMs are refused with, None for none."""
    try:
        file = load_file(name, text)
        for vm in file.sections:
            build_spec("vm0", file.section(vm))
    except ConfigError as error:
        return str(error)
    return None
