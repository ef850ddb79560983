"""The unpacked packages: which files they hold, with symbolic links followed inside them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from DtsVirtLibrary.errors import HostError
from DtsVirtLibrary.host.protocol import Host

LIST_TIMEOUT = 60.0
MAX_LINKS = 40


class Tree:
    """A directory of unpacked packages. Paths are without leading slash."""

    def __init__(self, host: Host, root: str, links: Mapping[str, str | None]) -> None:
        self._host = host
        self._root = root
        self._links = links

    @classmethod
    async def of(cls, host: Host, root: str) -> Tree:
        """Return the tree below `root`."""
        listing = await host.run(
            ["find", root, "-mindepth", "1", "-printf", r"%y\t%P\t%l\n"], timeout=LIST_TIMEOUT
        )
        links: dict[str, str | None] = {}
        for line in listing.stdout.splitlines():
            kind, path, target = line.split("\t")
            links[path] = target if kind == "l" else None
        return cls(host, root, links)

    @property
    def paths(self) -> list[str]:
        """All paths, sorted."""
        return sorted(self._links)

    def resolve(self, path: str) -> str:
        """Return what `path` leads to, links in any of its parts followed.

        :raises HostError: nothing is there.
        """
        done: list[str] = []
        rest = path.strip("/").split("/")
        for _ in range(MAX_LINKS):
            while rest:
                done.append(rest.pop(0))
                target = self._links.get("/".join(done))
                if target is not None:
                    base = "/" if target.startswith("/") else "/" + "/".join(done[:-1])
                    rest = self._parts(posixpath.join(base, target)) + rest
                    done = []
                    break
            else:
                return self._existing("/".join(done), path)
        raise HostError(f"/{path} in the unpacked packages is a circle of links.")

    async def read(self, path: str) -> bytes:
        """Return the bytes of the file that `path` leads to.

        :raises HostError: there is none.
        """
        return await self._host.read_bytes(f"{self._root}/{self.resolve(path)}")

    def _existing(self, found: str, asked: str) -> str:
        if found not in self._links:
            raise HostError(f"The downloaded packages hold no /{asked.strip('/')}.")
        return found

    @staticmethod
    def _parts(path: str) -> list[str]:
        return posixpath.normpath(path).strip("/").split("/")
