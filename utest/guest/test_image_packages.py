from DtsVirtLibrary.guest.image.packages import Package, dependency_names, parse_index

INDEX = """\
Package: qemu-guest-agent
Source: qemu
Version: 1:7.2+dfsg-7
Section: otherosfs
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: libc6 (>= 2.34), libglib2.0-0 (>= 2.63.3)
Size: 346272
SHA256: ffdc78
Description-en: Guest-side qemu-system agent
 Section: not this one

Package: shim
Version: 1
Section: non-free/libs
Size: 10
SHA256: 00

Package: only-installed
Version: 2
"""


def test_reads_the_packages_that_can_be_downloaded() -> None:
    assert parse_index(INDEX) == [
        Package(
            name="qemu-guest-agent",
            version="1:7.2+dfsg-7",
            section="otherosfs",
            size=346272,
            sha256="ffdc78",
            depends=("init-system-helpers", "libc6", "libglib2.0-0"),
        ),
        Package("shim", "1", "libs", 10, "00", ()),
    ]


def test_takes_the_first_of_alternatives_and_no_architecture() -> None:
    text = "debconf (>= 0.5) | debconf-2.0, perl:any"

    assert dependency_names(text) == ("debconf", "perl")


def test_no_dependencies_are_none() -> None:
    assert dependency_names("") == ()
