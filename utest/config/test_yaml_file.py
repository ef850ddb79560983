"""YAML: the same content, nothing but text, nothing unbounded."""

from __future__ import annotations

import time

import pytest

from DtsVirtLibrary.config import build_spec, load_file
from DtsVirtLibrary.config.yaml_file import MOST_NODES
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import HostPciDevice, Nic, UserBackend
from utest.config.making import cfg, devices, yaml

BOMB = "\n".join(
    [
        "a0: &a0 [x, x, x, x, x, x, x, x, x]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 7)),
    ]
)


def refused(text: str, name: str = "vm0") -> str:
    """Return the text of the error that a document is refused with."""
    with pytest.raises(ConfigError) as caught:
        yaml(text, name)
    return str(caught.value)


def test_the_same_vm_as_in_a_cfg_file() -> None:
    section = """\
cpu = model=host,number=2,cpupin=24 25
mem = size=4096,hugepage=yes
disk = file=/images/a.img,opt_format=qcow2; file=/images/b.img
login = user=root,password=tester
vnc = displayNum=1
net = type=nic,opt_addr=1f; type=user,opt_hostfwd=tcp::2222-:22
device =
    driver=vhost-user,opt_path=./s0,opt_settings="csum=off,gso=off";
    driver=pci-assign,opt_host=07:10.0;
usercmd = cmd="-rtc base=utc,clock=host"
"""
    document = """\
vm0:
  cpu: {model: host, number: 2, cpupin: [24, 25]}
  mem: {size: 4096, hugepage: yes}
  disk:
    - {file: /images/a.img, opt_format: qcow2}
    - /images/b.img
  login: {user: root, password: tester}
  vnc: {displayNum: 1}
  net:
    - type: nic
      opt_addr: 1f
    - type=user,opt_hostfwd=tcp::2222-:22
  device:
    - driver: vhost-user
      opt_path: ./s0
      opt_settings: {csum: off, gso: off}
    - {driver: pci-assign, opt_host: 07:10.0}
  usercmd: {cmd: [-rtc, "base=utc,clock=host"]}
"""
    assert yaml(document) == cfg(section)


@pytest.mark.fault(10)
def test_nothing_becomes_a_number_or_a_truth_value() -> None:
    spec = yaml(
        """\
vm0:
  net:
    - {type: nic, opt_macaddr: 52:54:00:12:34:56, opt_addr: 0x1f}
    - {type: user, opt_hostfwd: tcp::2222-:22}
  device: {driver: vfio-pci, opt_host: 0000:04:00.0, opt_settings: {x-no-mmap: off, rombar: 0}}
  login: {user: 007, password: 1_000}
"""
    )
    nic, device = spec.devices
    assert isinstance(nic, Nic)
    assert isinstance(nic.backend, UserBackend)
    assert isinstance(device, HostPciDevice)
    assert (nic.mac, nic.address) == ("52:54:00:12:34:56", "1f")
    assert device.host == "0000:04:00.0"
    assert dict(device.settings) == {"x-no-mmap": "off", "rombar": "0"}
    assert (spec.login.user, spec.login.password) == ("007", "1_000")


@pytest.mark.fault(10)
def test_a_sexagesimal_number_is_text() -> None:
    with pytest.raises(ConfigError, match=r"a\.yaml:1: cpu: number: '22:22': expected"):
        yaml("cpu: {number: 22:22}")


def test_a_document_that_is_one_vm() -> None:
    file = load_file("a.yml", "cpu: 2\nmem: {size: 1024}\n")
    assert dict(file.sections) == {}
    for name in ("vm0", "other"):
        assert build_spec(name, file.section(name)).cpu.number == 2


def test_a_misspelt_parameter_of_one_vm() -> None:
    message = refused("cpu: 2\nmen: 1024\n")
    assert message.startswith("a.yaml:2: unknown parameter 'men'. Did you mean 'mem'?")


@pytest.mark.parametrize("name", ["guest", "machine", "net"])
def test_a_vm_with_the_name_of_a_parameter(name: str) -> None:
    assert yaml(f"{name}:\n  cpu: 2\n  mem: 1024\n", name).cpu.number == 2


@pytest.mark.parametrize(
    ("document", "machine"), [("machine: {machine: q35}", "q35"), ("machine: pc", "pc")]
)
def test_a_parameter_that_could_be_a_vm(document: str, machine: str) -> None:
    assert yaml(document).machine == machine


def test_defaults_and_global_parameters() -> None:
    file = load_file("a.yaml", "KVM: {cpu: 3}\nDEFAULT: {mem: 1024}\nvm0:\nvm1: {mem: 2048}\n")
    assert list(file.sections) == ["vm0", "vm1"]
    assert file.defaults is not None
    assert "cpu" in file.defaults
    assert build_spec("vm0", file.section("vm0")).memory.size_mib == 1024
    assert build_spec("vm1", file.section("vm1")).memory.size_mib == 2048


def test_empty_values_mean_what_they_mean_in_a_cfg_file() -> None:
    assert yaml("vm0: {monitor: {port: }}").monitor_path is None
    assert refused("vm0: {cpu: {number: }}").startswith(
        "a.yaml:1: cpu: option 'number' has no value"
    )
    assert refused("vm0:\n  cpu:\n").startswith("a.yaml:2: cpu: no value")


def test_aliases() -> None:
    spec = yaml("vm0:\n  cpu: &c {number: 2}\nvm1:\n  cpu: *c\n", "vm1")
    assert spec.cpu.number == 2


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vm0: {cpu: 2, cpu: 3}", "a.yaml:1: 'cpu' stands there twice"),
        ("vm0: {cpu: 2, CPU: 3}", "a.yaml:1: cpu: the parameter stands there twice"),
        ("vm0:\n  cpu:\n    number: 2\n    number: 3\n", "a.yaml:4: 'number' stands there twice"),
        ("vm0:\n  cpu: {modle: host}\n", "a.yaml:2: cpu: unknown option 'modle'. Did you mean"),
        ("vm0:\n  cpu: {model: host,\n    number: 0}", "a.yaml:3: cpu: number: '0': expected"),
        ("vm0: {cpu: 2\n", "a.yaml:2: this is no YAML"),
        ("vm0: !!python/object:os.system x", "a.yaml:1: tag 'tag:yaml.org,2002:python/object"),
        ("vm0: {cpu: !!int 2}", "a.yaml:1: tag 'tag:yaml.org,2002:int'"),
        ("vm0: !!python/dict {cpu: 2}", "a.yaml:1: tag 'tag:yaml.org,2002:python/dict'"),
        ("vm0: *x", "a.yaml:1: alias *x is not defined before it"),
        ("vm0: &x [*x]", "a.yaml:1: alias *x is not defined before it"),
        ("vm0: {}\n---\nvm1: {}\n", "a.yaml:2: a second document"),
        ("[vm0]", "a.yaml:1: expected a mapping: VM -> parameters"),
        ("vm0", "a.yaml:1: expected a mapping: VM -> parameters"),
        ("vm0: [cpu]", "a.yaml:1: expected a mapping: parameter -> options"),
        ("? [a]\n: b", "a.yaml:1: a name is expected, not a list or mapping"),
        ("vm0: " + "[" * 3000, "a.yaml:1: nested deeper than 8 levels"),
        (BOMB, f"a.yaml:5: more than {MOST_NODES} values"),
        ("vm0: {cpu: [[2]]}", "a.yaml:1: cpu: a value of type list"),
        ("vm0: {cpu: {number: [[2]]}}", "a.yaml:1: cpu: number: a value of type list"),
        ("vm0: {\x01: 2}", "a.yaml: this is no YAML"),
        ('vm0: "\\U99999999"', "a.yaml: this is no YAML"),
        ("%YAML 9.1\n---\nvm0:\n", "a.yaml:1: this is no YAML"),
    ],
)
def test_documents_that_are_refused(text: str, message: str) -> None:
    assert refused(text).startswith(message)


@pytest.mark.fault(11)
@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 100_000, "{a: " * 60_000, BOMB])
def test_hostile_documents_end_soon(text: str) -> None:
    begin = time.monotonic()
    refused(text)
    assert time.monotonic() - begin < 30


def test_an_empty_document_has_no_vm() -> None:
    for text in ("", "# nothing\n", "---\n", "{}"):
        assert load_file("a.yaml", text).names == ()


def test_a_text_entry_of_yaml_is_told_with_its_line() -> None:
    with pytest.raises(
        ConfigError, match=r"a\.yaml:4: device vhost-user: unknown option 'opt_pth'"
    ):
        yaml("vm0:\n  device:\n    - driver=igb\n    - driver=vhost-user,opt_pth=x\n")


def test_several_devices() -> None:
    assert len(devices(yaml("device: [igb, {driver: e1000e}, driver=virtio-rng-pci]"))) == 3


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            'vm0: {net: [{type: nic}, {type: tap, opt_ifname: "\\ud800"}]}',
            "net: opt_ifname: half of",
        ),
        ('vm0: {login: {user: root, password: "geheim\\udfff"}}', "login: password: half of"),
        ('vm0: {pid_file: "a\\0b"}', "pid_file: a NUL character"),
        (
            'vm0: {device: {driver: vhost-user, opt_path: s, opt_settings: {csum: "a\\0b=1"}}}',
            "device: opt_settings: a NUL character",
        ),
    ],
)
def test_escapes_that_make_no_text_are_refused(text: str, says: str) -> None:
    message = refused(text)
    assert message.startswith(f"a.yaml:1: {says}")
    assert "geheim" not in message
