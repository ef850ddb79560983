"""The configuration files that the suite loaded, and the parameters of a new VM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DtsVirtLibrary.config import ConfigFile, Parameters, build_spec, entries_from_value, load_file
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import Origin

if TYPE_CHECKING:
    from DtsVirtLibrary.host.protocol import Host


class Configs:
    """Reads configuration files and remembers them for VMs that are created later.

    :param runner: the machine that the runner, and so the files, are on.
    """

    def __init__(self, runner: Host) -> None:
        self._runner = runner
        self._sections: dict[str, Parameters] = {}
        self._defaults = Parameters()

    async def load(self, path: Path, suite_directory: Path | None) -> list[str]:
        """Remember a file's VM sections and global defaults; return the VMs' names.

        :raises ConfigError: the file is missing or wrong.
        """
        file = await self.read(path, suite_directory)
        sections = dict(file.sections)
        for name, parameters in sections.items():
            build_spec(name, parameters)
        self._sections.update(sections)
        if file.defaults is not None:
            self._defaults = file.defaults
        return list(sections)

    async def read(self, path: Path, suite_directory: Path | None) -> ConfigFile:
        """Read a file; a relative path counts from the working directory, then the suite's."""
        candidates = [path]
        if not path.is_absolute() and suite_directory is not None:
            candidates.append(suite_directory / path)
        for candidate in candidates:
            if await self._runner.status(candidate) is not None:
                return load_file(str(candidate), await self._runner.read_bytes(candidate))
        places = [await self._runner.real_path(item) for item in candidates]
        looked = " and ".join(f"'{place}'" for place in places)
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
        defaults = self._defaults
        if config is not None:
            file = await self.read(config, suite_directory)
            parameters = file.section(name).copy()
            defaults = file.defaults if file.defaults is not None else defaults
        elif name in self._sections:
            parameters = self._sections[name].copy()
        else:
            parameters = Parameters()
        for parameter, value in named.items():
            parameters.set(parameter, entries_from_value(parameter, value, keyword_origin(name)))
        parameters.merge_defaults(defaults)
        return parameters


def keyword_origin(vm: str) -> Origin:
    """Return the origin of what a keyword said about a VM."""
    return Origin(f"VM '{vm}'")
