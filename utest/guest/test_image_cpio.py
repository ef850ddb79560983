from DtsVirtLibrary.guest.image import cpio

# A directory, a file in it and the end, written by hand from the format's description.
EXPECTED = (
    b"070701" b"00000001" b"000041ED" b"00000000" b"00000000" b"00000002" b"00000000" b"00000000"
    b"00000000" b"00000000" b"00000000" b"00000000" b"00000004" b"00000000" b"bin\0" b"\0\0"
    b"070701" b"00000002" b"000081ED" b"00000000" b"00000000" b"00000001" b"00000000" b"00000005"
    b"00000000" b"00000000" b"00000000" b"00000000" b"00000007" b"00000000" b"bin/sh\0" b"\0\0\0"
    b"hello" b"\0\0\0"
    b"070701" b"00000000" b"00000000" b"00000000" b"00000000" b"00000001" b"00000000" b"00000000"
    b"00000000" b"00000000" b"00000000" b"00000000" b"0000000B" b"00000000" b"TRAILER!!!\0"
    b"\0\0\0"
)  # fmt: skip


def test_writes_the_new_ascii_format_with_the_directories_that_paths_need() -> None:
    made = cpio.archive({"bin/sh": cpio.file(b"hello", 0o755)})

    assert made == EXPECTED + bytes(-len(EXPECTED) % 512)


def test_the_order_in_which_entries_are_named_does_not_matter() -> None:
    first = {"b": cpio.file(b"1"), "a/c": cpio.symlink("../b")}
    second = dict(reversed(first.items()))

    assert cpio.archive(first) == cpio.archive(second)


def test_a_directory_that_is_named_keeps_its_mode() -> None:
    made = cpio.archive({"root/.profile": cpio.file(b""), "root": cpio.directory(0o700)})

    assert made.count(b"000041C0") == 1
    assert b"000041ED" not in made


def test_a_link_holds_its_target() -> None:
    made = cpio.archive({"init": cpio.symlink("bin/busybox")})

    assert b"0000A1FF" in made
    assert b"init\0\0bin/busybox\0" in made
