"""The configuration files that the suite loaded, and the parameters of a new VM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DtsVirtLibrary.config import ConfigFile, Parameters, build_spec, entries_from_value, load_file
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin

if TYPE_CHECKING:
    from DtsVirtLibrary.host.protocol import Host


@dataclass(frozen=True)
class _Loaded:
    """What a file gave, and how deep in suites and tests it was loaded."""

    depth: int
    sections: Mapping[str, Parameters]
    defaults: Parameters | None


class Configs:
    """Reads configuration files and remembers them for VMs that are created later.

    The latest counts, and each only as long as the suite or test that loaded it.

    :param runner: the machine that the runner, and so the files, are on.
    """

    def __init__(self, runner: Host) -> None:
        self._runner = runner
        self._loaded: list[_Loaded] = []

    async def load(self, path: Path, suite_directory: Path | None, depth: int) -> list[str]:
        """Remember a file's VM sections and global defaults; return the VMs' names.

        :param depth: how many suites and tests the caller is in; see :meth:`forget`.
        :raises ConfigError: the file is missing or wrong.
        """
        file = await self.read(path, suite_directory)
        sections = dict(file.sections)
        for name, parameters in sections.items():
            build_spec(name, parameters)
        self._loaded.append(_Loaded(depth, sections, file.defaults))
        return list(sections)

    def forget(self, depth: int) -> None:
        """Forget what was loaded this deep: the suite or test has ended."""
        self._loaded = [item for item in self._loaded if item.depth < depth]

    async def read(self, path: Path, suite_directory: Path | None) -> ConfigFile:
        """Read a file; a relative path counts from the working directory, then the suite's."""
        candidates = [path]
        if not path.is_absolute() and suite_directory is not None:
            candidates.append(suite_directory / path)
        for candidate in candidates:
            if await self._runner.status(candidate) is not None:
                return load_file(str(candidate), await self._runner.read_bytes(candidate))
        places = [await self._runner.real_path(item) for item in candidates]
        looked = " and ".join(f"'{place}'" for place in dict.fromkeys(places))
        raise ConfigError(f"Configuration file '{path}' does not exist. Looked at {looked}.")

    async def parameters(
        self,
        name: str,
        config: Path | None,
        named: Mapping[str, Any],
        suite_directory: Path | None,
    ) -> Parameters:
        """Return a new VM's parameters: its section, changed by `named`, over the defaults.

        :raises ConfigError: the section is missing, or a parameter is wrong.
        """
        loaded = self._loaded
        if config is not None:
            file = await self.read(config, suite_directory)
            loaded = [*loaded, _Loaded(0, {name: file.section(name)}, file.defaults)]
        sections = [item.sections[name] for item in loaded if name in item.sections]
        all_defaults = [item.defaults for item in loaded if item.defaults is not None]
        parameters = sections[-1].copy() if sections else Parameters()
        for parameter, value in named.items():
            parameters.set(parameter, entries_from_value(parameter, value, keyword_origin(name)))
        if all_defaults:
            parameters.merge_defaults(all_defaults[-1])
        return parameters


def keyword_origin(vm: str) -> Origin:
    """Return the origin of what a keyword said about a VM."""
    return Origin(f"VM '{vm}'")
