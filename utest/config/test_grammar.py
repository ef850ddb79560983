"""The grammar of values: what DTS's files hold, what they broke on, and quoting."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.config.grammar import MOST_OPTIONS, Line, parse_value, quote
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin

Options = list[tuple[str | None, str]]


def read(text: str, conceal: bool = False) -> list[Options]:
    """Return names and texts of the entries in `text`, whose first line is line 1."""
    lines = [Line(line, Origin("a.cfg", n)) for n, line in enumerate(text.split("\n"), 1)]
    entries = parse_value(lines, "cpu", conceal)
    return [[(option.name, option.text) for option in entry] for entry in entries]


def refused(text: str, conceal: bool = False) -> str:
    """Return the text of the error that `text` is refused with."""
    with pytest.raises(ConfigError) as caught:
        read(text, conceal)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("number=2;", [[("number", "2")]]),
        ("number=2", [[("number", "2")]]),
        ("\n  number=2;\n", [[("number", "2")]]),
        ("number=2,model=host", [[("number", "2"), ("model", "host")]]),
        ("number=2, model = host", [[("number", "2"), ("model", "host")]]),
        ("number=2,\n  model=host;", [[("number", "2"), ("model", "host")]]),
        ("number=2\n  ,model=host;", [[("number", "2"), ("model", "host")]]),
        ("number=2\n  ;number=3", [[("number", "2")], [("number", "3")]]),
        ("cpupin=5 6 ;", [[("cpupin", "5 6")]]),
        ("type=nic;type=user;", [[("type", "nic")], [("type", "user")]]),
        ("a=1;\n b=2;\n", [[("a", "1")], [("b", "2")]]),
        ("a=1;;b=2;", [[("a", "1")], [("b", "2")]]),
        (";a=1", [[("a", "1")]]),
        ("file=x.img,;", [[("file", "x.img")]]),
        (",a=1,,b=2,", [[("a", "1"), ("b", "2")]]),
        ("password=a=b", [[("password", "a=b")]]),
        ("port=;", [[("port", "")]]),
        ("port=,path=/x", [[("port", ""), ("path", "/x")]]),
        ("size=4096; # four gigs", [[("size", "4096")]]),
        ("size=4096; # four gigs\n", [[("size", "4096")]]),
        ("a=1, # first\n  b=2; # second\n a=3", [[("a", "1"), ("b", "2")], [("a", "3")]]),
        ("# all of it", []),
        ("", []),
        (" \n\t\n;", []),
        ("password=a#b", [[("password", "a#b")]]),
        ("100%%", [[(None, "100%")]]),
        ("a=50%", [[("a", "50%")]]),
        ("a=%d%%x", [[("a", "%d%x")]]),
        ("disable", [[(None, "disable")]]),
        ("/images/a=b.img", [[(None, "/images/a=b.img")]]),
        ("-rtc base=utc", [[(None, "-rtc base=utc")]]),
        ("cpupin=1,2,3", [[("cpupin", "1"), (None, "2"), (None, "3")]]),
        ("opt_settings=csum=off,gso=off", [[("opt_settings", "csum=off"), ("gso", "off")]]),
        ("a=1\r", [[("a", "1")]]),
    ],
)
def test_unquoted(text: str, entries: list[Options]) -> None:
    assert read(text) == entries


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ('a="1,2;3"', [[("a", "1,2;3")]]),
        ("a='1,2;3'", [[("a", "1,2;3")]]),
        ('a = "1,2" , b=3', [[("a", "1,2"), ("b", "3")]]),
        ('a="1,2";b=3', [[("a", "1,2")], [("b", "3")]]),
        ('a="50%, 100%% #1 = %(x)s"', [[("a", "50%, 100%% #1 = %(x)s")]]),
        ('a=" b "', [[("a", " b ")]]),
        ('a=""', [[("a", "")]]),
        ('a="",b=1', [[("a", ""), ("b", "1")]]),
        ('a="say ""x"""', [[("a", 'say "x"')]]),
        (r'a="say \"x\""', [[("a", 'say "x"')]]),
        ("a='it''s'", [[("a", "it's")]]),
        (r"a='it\'s'", [[("a", "it's")]]),
        (r'a="C:\new\\"', [[("a", "C:\\new\\")]]),
        (r"a='\$ '", [[("a", r"\$ ")]]),
        ('a="it\'s"', [[("a", "it's")]]),
        ('a=5"', [[("a", '5"')]]),
        ('a=x"y,z', [[("a", 'x"y'), (None, "z")]]),
        ("a=it's,b=1", [[("a", "it's"), ("b", "1")]]),
        ('"-device a,b=1"', [[(None, "-device a,b=1")]]),
        ('"-device a"; "-device b,c"', [[(None, "-device a")], [(None, "-device b,c")]]),
        ("cmd='-append \"a, b\"'", [[("cmd", '-append "a, b"')]]),
    ],
)
def test_quoted(text: str, entries: list[Options]) -> None:
    assert read(text) == entries


def test_a_missing_separator_is_refused_with_the_repair() -> None:
    assert refused("\n size=4096\n hugepage=yes").splitlines() == [
        "a.cfg:2: cpu: the line ends without ',' or ';' and another follows",
        "Write ',' at its end if the next line continues the entry, ';' if one begins.",
        "One entry:   size=4096,hugepage=yes",
        "Two entries: size=4096;hugepage=yes",
        "Found: 'size=4096'",
    ]


def test_a_line_that_begins_like_its_entry_begins_another() -> None:
    assert read("\n driver=a,opt_path=x\n driver=b,opt_path=y\n") == [
        [("driver", "a"), ("opt_path", "x")],
        [("driver", "b"), ("opt_path", "y")],
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('a="1', 'the quote " is not closed on its line'),
        ("a='1\n'", "the quote ' is not closed on its line"),
        ('a="1\\"', 'the quote " is not closed on its line'),
        ('a="1"2', "text stands behind the closing quote"),
        ('a="1" # x', "text stands behind the closing quote"),
        ("size=4096 # four gigs", "' #' in a value without quotes"),
        ("a=%(b)s", "%(...)s is not replaced"),
    ],
)
def test_what_is_ambiguous_is_refused(text: str, why: str) -> None:
    message = refused(text)
    assert message.startswith("a.cfg:1: cpu: ")
    assert why in message.splitlines()[0]


@pytest.mark.parametrize(
    "text",
    ['a="geheim', 'a="geheim"x', "a=geheim # x", "a=%(geheim)s", "a=geheim\nb=1", 'a=1,"geheim"x'],
)
def test_concealed_values_are_in_no_message(text: str) -> None:
    assert "geheim" in refused(text)
    assert "geheim" not in refused(text, conceal=True)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a b", "a b"),
        ("a,b", '"a,b"'),
        ('a"b', r'"a\"b"'),
        ("", '""'),
        (" a", '" a"'),
        ("50%", '"50%"'),
    ],
)
def test_quoting_only_where_needed(text: str, quoted: str) -> None:
    assert quote(text) == quoted


def test_a_value_has_so_many_options_at_most() -> None:
    assert len(read("=;" * MOST_OPTIONS)) == MOST_OPTIONS
    message = refused("=;" * 125_000)
    assert message.startswith("a.cfg:1: cpu: more than 10000 options")
    assert len(message) < 300
