"""scripts/setup: what it refuses and says, and that nothing is left half-made."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_machine import Machine, build_machine

APT_NAMES = "qemu-system-x86 qemu-utils"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return build_machine(tmp_path)


def all_installed(machine: Machine) -> None:
    machine.program("dpkg-query", 'for name in "${@:4}"; do echo "installed $name"; done')


def test_a_bare_machine_gets_packages_an_environment_and_a_guest(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.called("apt-get update")
    assert "install -o DPkg::Lock::Timeout=600" in "\n".join(machine.calls)
    assert any(call.endswith("openssh-client") and APT_NAMES in call for call in machine.calls)
    assert "guest guest build" in done.stdout
    assert (machine.project / ".venv/setup.digest").exists()
    assert not (machine.project / ".venv.new").exists()


def test_scripts_name_the_final_place_of_the_environment(machine: Machine) -> None:
    assert machine.setup().returncode == 0
    script = (machine.project / ".venv/bin/dtsvirt").read_text()
    assert f"# made in {machine.project}/.venv/bin" in script
    assert ".venv.new" not in (machine.project / ".venv/pyvenv.cfg").read_text()


def test_the_second_run_calls_neither_apt_nor_pip(machine: Machine) -> None:
    assert machine.setup().returncode == 0
    all_installed(machine)
    done = machine.setup()
    assert done.returncode == 0
    assert not machine.called("apt-get")
    assert not any("venv" in call or "pip" in call for call in machine.calls)


@pytest.mark.parametrize("changed", ["setup.py", "constraints.txt", "pyproject.toml"])
def test_changed_requirements_make_the_environment_anew(machine: Machine, changed: str) -> None:
    assert machine.setup().returncode == 0
    all_installed(machine)
    with (machine.project / changed).open("a") as file:
        file.write("# changed\n")
    assert machine.setup().returncode == 0
    assert machine.called("python-fake -m venv")


def test_the_tests_packages_are_left_out_of_the_demo(machine: Machine) -> None:
    machine.setup("demo")
    assert not any("qemu-guest-agent" in call for call in machine.calls if "apt-get" in call)
    machine.setup("test")
    assert any("qemu-guest-agent" in call for call in machine.calls if "apt-get" in call)


def test_sudo_is_used_where_the_user_is_not_root(machine: Machine) -> None:
    machine.program("id", "[ $1 = -u ] && echo 1000 || echo ada")
    machine.program("sudo", '[ "$1" != -n ] || exit 0\nshift\nexec "$@"')
    assert machine.setup().returncode == 0
    assert machine.called("sudo -- env DEBIAN_FRONTEND=noninteractive")
    assert machine.called("apt-get install")


def test_neither_root_nor_sudo(machine: Machine) -> None:
    machine.program("id", "[ $1 = -u ] && echo 1000 || echo ada")
    done = machine.setup()
    assert done.returncode == 1
    assert "ada is not root, and sudo is not installed" in done.stderr
    assert f"apt-get install --no-install-recommends {APT_NAMES}" in done.stderr
    assert not machine.called("apt-get")
    assert machine.untouched


def test_sudo_that_refuses(machine: Machine) -> None:
    machine.program("id", "[ $1 = -u ] && echo 1000 || echo ada")
    machine.program("sudo", "exit 1")
    done = machine.setup()
    assert done.returncode == 1
    assert "sudo does not let ada install them" in done.stderr
    assert not machine.called("apt-get")
    assert machine.untouched


def test_root_rights_are_not_asked_for_when_no_package_is_missing(machine: Machine) -> None:
    all_installed(machine)
    machine.program("id", "[ $1 = -u ] && echo 1000 || echo ada")
    assert machine.setup().returncode == 0


@pytest.mark.parametrize("missing", ["apt-get", "dpkg-query"])
def test_no_debian(machine: Machine, missing: str) -> None:
    machine.remove(missing)
    done = machine.setup()
    assert done.returncode == 1
    assert "this is no Debian system" in done.stderr
    assert machine.untouched


def test_another_architecture(machine: Machine) -> None:
    machine.program("uname", "echo Linux aarch64")
    done = machine.setup()
    assert done.returncode == 1
    assert "this is Linux aarch64" in done.stderr
    assert machine.untouched


def test_no_network_for_apt(machine: Machine) -> None:
    machine.program(
        "apt-get",
        "echo \"W: Failed to fetch: Temporary failure resolving 'mirror'\" >&2\n"
        'case "$*" in *--simulate*) echo "E: Unable to locate package" >&2; exit 100 ;; esac',
    )
    done = machine.setup()
    assert done.returncode == 1
    assert "The network cannot be reached" in done.stderr
    assert "results/setup.log" in done.stderr
    assert "Temporary failure resolving" in done.stderr
    assert not any("install" in call and "--simulate" not in call for call in machine.calls)
    assert machine.untouched


def test_packages_that_cannot_be_downloaded_are_not_installed(machine: Machine) -> None:
    machine.program(
        "apt-get",
        'case "$*" in *--simulate*) echo "Inst qemu-a" ;;\n*--download-only*) exit 100 ;; esac',
    )
    done = machine.setup()
    assert done.returncode == 1
    assert "apt-get could not download the packages" in done.stderr
    assert "--download-only" in machine.calls[-1]


def test_no_network_for_pip_keeps_the_old_environment(machine: Machine) -> None:
    assert machine.setup().returncode == 0
    all_installed(machine)
    with (machine.project / "constraints.txt").open("a") as file:
        file.write("# changed\n")
    (machine.fakes / "pip-fails").touch()
    done = machine.setup()
    assert done.returncode == 1
    assert "pip could not install the Python packages. The network cannot be reached" in done.stderr
    assert (machine.project / ".venv/bin/dtsvirt").exists()
    assert not (machine.project / ".venv.new").exists()


def test_no_network_for_pip_on_a_bare_machine_leaves_nothing(machine: Machine) -> None:
    (machine.fakes / "pip-fails").touch()
    assert machine.setup().returncode == 1
    assert machine.untouched


def test_too_little_space(machine: Machine) -> None:
    machine.program("df", 'echo header; echo "/dev/vda 99999 1 300 1% /data"')
    done = machine.setup()
    assert done.returncode == 1
    assert "too little disk space on /data: 300 MB are free, 2200 MB are needed" in done.stderr
    assert not machine.called("apt-get")
    assert machine.untouched


def test_a_guest_that_cannot_be_built(machine: Machine) -> None:
    (machine.fakes / "dtsvirt-body").write_text('echo "dtsvirt: no space" >&2; exit 1\n')
    done = machine.setup()
    assert done.returncode == 1
    assert "the embedded guest could not be built" in done.stderr
    assert "dtsvirt: no space" in done.stdout
    assert str(machine.project / "results/setup.log") in done.stderr


def test_a_wrong_purpose(machine: Machine) -> None:
    done = machine.setup("play")
    assert done.returncode == 1
    assert "usage: scripts/setup demo|test" in done.stderr


def test_a_python_without_venv_is_passed_over(machine: Machine, tmp_path: Path) -> None:
    shim = tmp_path / "shim"
    shim.write_text("#!/bin/bash\necho 'python3: no version is chosen' >&2\nexit 127\n")
    shim.chmod(0o755)
    machine.environment["PYTHON"] = str(shim)
    machine.program("python3", PYTHON_ON_PATH)
    done = machine.setup()
    assert "(/usr/bin/python3)" in done.stdout or "(python3)" in done.stdout
    assert str(shim) not in done.stdout


PYTHON_ON_PATH = 'exec "$FAKES/python-fake" "$@"'
