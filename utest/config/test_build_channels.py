"""Each option of the channels' parameters, its default and what is refused."""

from __future__ import annotations

import pytest

from DtsVirtLibrary.config import build_spec
from DtsVirtLibrary.errors import ConfigError
from DtsVirtLibrary.spec import GuestDriver, Incoming, Login, Serial, Timeouts, Vnc
from utest.config.making import cfg, made, parameters, refused, refused_value


class Hidden:
    """A secret as Robot Framework hands it over."""

    def __init__(self, value: str) -> None:
        self.value = value


@pytest.mark.parametrize(
    ("body", "login"),
    [
        ("login = user=root,password=tester;", Login("root", "tester")),
        ("login = user=joe,password=a=b", Login("joe", "a=b")),
        ('login = user=joe,password="a,b;c%d#e"', Login("joe", "a,b;c%d#e")),
        ("login = user=joe,password=100%%", Login("joe", "100%")),
        ("login = user=joe,password=", Login("joe", "")),
        ("login = user=joe,key=/keys/id", Login("joe", None, "/keys/id")),
        ("login = password=x,prompt=#", Login("root", "x", None, "#")),
        ("login = user=root", Login("root")),
        ("login = user=root,key=/keys/id", Login("root", None, "/keys/id")),
        ("login = user=joe", Login("joe")),
        ("login = user=root\ndisk = /a.img", Login("root")),
        ("", Login("root")),
        ("disk = /a.img", Login("root")),
    ],
)
def test_login(body: str, login: Login) -> None:
    assert cfg(body).login == login


@pytest.mark.parametrize(
    "body",
    [
        "login = user=root,passwrod=geheim",
        "login = user=root,password=a,geheim",
        "login = user=root,password=a,geheim=b",
        "login = user=root,password=a;geheim",
        "login = user=root,password=a;geheim=b",
        "login = user=root,password=a #geheim",
        "login = user=root,password=geheim\n  prompt=x",
        "login = user=root,password=geheim,password=b",
        "login = user=root,password=geheim,usr=x",
        'login = user=root,password="geheim',
        'login = user=root,password="a"geheim',
        "login = password=%(geheim)s",
        "login = user=,password=geheim",
        "login =\npassword=geheim",
    ],
)
def test_no_message_shows_a_password(body: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cfg(body)
    error: BaseException | None = caught.value
    while error is not None:
        assert "geheim" not in str(error)
        error = error.__cause__ or error.__context__


def test_a_password_is_in_no_representation() -> None:
    made_of = parameters(login="user=root,password=geheim")
    shown = [repr(made_of), repr(made_of.entries("login")), repr(build_spec("vm0", made_of))]
    assert not any("geheim" in text for text in shown)


def test_a_secret_is_unwrapped_late_and_never_shown() -> None:
    made_of = parameters(login={"user": "joe", "password": Hidden("geheim")})
    assert isinstance(made_of.entries("login")[0].options["password"], Hidden)
    assert build_spec("vm0", made_of).login.password == "geheim"
    for values in (
        {"login": {"user": "joe", "pasword": Hidden("geheim")}},
        {"cpu": {"number": Hidden("geheim")}},
        {"login": Hidden("geheim")},
        {"login": [Hidden("geheim")]},
        {"device": {"driver": "vhost-user", "opt_path": "x", "opt_settings": [Hidden("geheim")]}},
    ):
        assert "geheim" not in refused_value(**values)


def test_a_misspelt_password_option_is_offered() -> None:
    message = refused("login = user=root,passwrod=geheim")
    assert message.startswith("a.cfg:2: login: unknown option 'passwrod'. Did you mean 'password'?")


@pytest.mark.parametrize(
    ("body", "vnc"),
    [
        ("vnc = displayNum=1;", Vnc(1)),
        ("vnc = 11", Vnc(11)),
        ("vnc = displayNum=0", Vnc(0)),
        ("vnc = displayNum=59635", Vnc(59635)),
        ("vnc = displayNum=auto", Vnc()),
        ("vnc = auto", Vnc()),
        ("vnc = auto=yes", Vnc()),
        ("vnc = auto=no", None),
        ("vnc = disable", None),
        ("vnc = disable=True", None),
        ("vnc = disable=yes,displayNum=1", None),
        ("vnc = disable=no,displayNum=1", Vnc(1)),
        ("vnc = disable=no", Vnc()),
        ("", None),
    ],
)
def test_vnc(body: str, vnc: Vnc | None) -> None:
    assert cfg(body).vnc == vnc


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("vnc = displayNum=59636", "a.cfg:2: vnc: displayNum: '59636': expected a whole number"),
        ("vnc = displaynum=1", "a.cfg:2: vnc: unknown option 'displaynum'. Did you mean 'displayN"),
        ("vnc = displayNum=:1", "a.cfg:2: vnc: displayNum: ':1': expected"),
        ("vnc = auto,displayNum=1", "a.cfg:2: vnc: displayNum and auto exclude each other"),
    ],
)
def test_vnc_that_is_refused(body: str, message: str) -> None:
    assert refused(body).startswith(message)


@pytest.mark.parametrize(
    ("body", "control", "serial"),
    [
        ("", "qga", Serial()),
        ("control = type=qga", "qga", Serial()),
        ("control = type=telnet", "telnet", Serial("telnet")),
        ("control = type=telnet,port=7000", "telnet", Serial("telnet", 7000)),
        ("control = type=socket", "socket", Serial("socket")),
        ("serial_port = enable=yes", "qga", Serial("socket")),
        ("serial_port = enable=yes,opt_type=unix", "qga", Serial("socket")),
        ("serial_port = enable=no", "qga", Serial()),
        ("serial = type=telnet,port=7001", "qga", Serial("telnet", 7001)),
        ("serial = socket", "qga", Serial("socket")),
        ("serial = file", "qga", Serial()),
        ("serial_port = enable=yes\ncontrol = socket", "socket", Serial("socket")),
    ],
)
def test_control_and_serial_port(body: str, control: str, serial: Serial) -> None:
    spec = cfg(body)
    assert (spec.control, spec.serial) == (control, serial)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("control = type=ssh", "a.cfg:2: control: type: unknown value 'ssh'."),
        ("control = type=qga,port=1", "a.cfg:2: control: port is for type=telnet, not type=qga"),
        ("control = type=telnet,port=0", "a.cfg:2: control: port: '0': expected"),
        ("serial = type=file,port=1", "a.cfg:2: serial: port is for type=telnet"),
        ("serial = socket\ncontrol = telnet", "a.cfg:3: serial: the serial port cannot be telnet"),
        ("serial_port = enable=yes,opt_type=pty", "a.cfg:2: serial_port: opt_type: unknown value"),
    ],
)
def test_control_and_serial_port_that_are_refused(body: str, message: str) -> None:
    assert refused(body).startswith(message)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("", None),
        ("monitor = path=/tmp/vm0_monitor.sock", "/tmp/vm0_monitor.sock"),
        ("monitor =\n    port=;", None),
        ("monitor = port=,path=/tmp/m", "/tmp/m"),
    ],
)
def test_monitor(body: str, path: str | None) -> None:
    assert cfg(body).monitor_path == path


def test_a_monitor_on_a_port_is_refused() -> None:
    message = refused("monitor = port=4444")
    assert message.startswith("a.cfg:2: monitor: port: '4444': expected nothing")


@pytest.mark.parametrize(
    ("body", "incoming"),
    [
        ("", None),
        ("migration = enable=yes,port=4444", Incoming("tcp:127.0.0.1:4444")),
        ("migration = enable=yes", Incoming("defer")),
        ("migration = enable=no,port=4444", None),
        ("migration = port=4444", Incoming("tcp:127.0.0.1:4444")),
        ("migration = uri=unix:/tmp/m", Incoming("unix:/tmp/m")),
        ("migration = uri=tcp:0.0.0.0:4444", Incoming("tcp:0.0.0.0:4444")),
        ("migration = uri=defer", Incoming("defer")),
    ],
)
def test_migration(body: str, incoming: Incoming | None) -> None:
    assert cfg(body).incoming == incoming


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("migration = port=1,uri=defer", "a.cfg:2: migration: port and uri exclude each other"),
        ("migration = uri=exec:rm", "a.cfg:2: migration: uri: 'exec:rm': expected defer, tcp:"),
        ("migration = port=65536", "a.cfg:2: migration: port: '65536': expected a whole number"),
    ],
)
def test_migration_that_is_refused(body: str, message: str) -> None:
    assert refused(body).startswith(message)


def test_start() -> None:
    assert cfg("start = wait_seconds=200").timeouts == Timeouts(200.0, 60.0)
    assert cfg("start = login_timeout=5.5").timeouts == Timeouts(120.0, 5.5)
    prompts = "start = wait_seconds=120,login_prompt=login:,password_prompt=Password:"
    assert cfg(prompts).timeouts == Timeouts()
    assert made(start=300).timeouts == Timeouts(300.0, 60.0)
    assert refused("start = wait_seconds=0").startswith("a.cfg:2: start: wait_seconds: '0'")


def test_guest_agent() -> None:
    assert cfg("").guest_agent
    assert cfg("qga = enable=yes").guest_agent
    assert not cfg("qga = enable=no").guest_agent


def test_def_driver() -> None:
    assert cfg("").guest_driver is None
    assert cfg("def_driver = driver_name=igb_uio").guest_driver == GuestDriver("igb_uio")
    no_iommu = "def_driver = driver_name=vfio-pci,driver_mode=noiommu"
    assert cfg(no_iommu).guest_driver == GuestDriver("vfio-pci", no_iommu=True)
    assert "driver_mode: unknown value 'iommu'" in refused("def_driver = driver_mode=iommu")


def test_pid_file() -> None:
    assert cfg("pid_file = name=/tmp/.vm0.pid").pid_file == "/tmp/.vm0.pid"
    assert cfg("").pid_file is None


@pytest.mark.parametrize("body", ["daemon = enable=yes", "daemon = enable=no", ""])
def test_daemon_changes_nothing(body: str) -> None:
    assert cfg(body) == cfg("")


def test_only_kvm_is_offered() -> None:
    assert cfg("virt_type = virt_type=KVM") == cfg("")
    message = refused("virt_type = virt_type=LIBVIRT")
    assert message.startswith(
        "a.cfg:2: virt_type: LIBVIRT is not offered: this library drives QEMU"
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("usercmd = cmd=-rtc base=utc", ("-rtc", "base=utc")),
        ("usercmd = -rtc base=utc", ("-rtc", "base=utc")),
        ('usercmd = cmd="-device igb,id=a"', ("-device", "igb,id=a")),
        ('usercmd = "-device igb,id=a"', ("-device", "igb,id=a")),
        ("usercmd = cmd=-S;cmd=-no-reboot", ("-S", "-no-reboot")),
        ("usercmd = \"-append 'a b'\"", ("-append", "a b")),
        ("", ()),
    ],
)
def test_usercmd(body: str, words: tuple[str, ...]) -> None:
    assert cfg(body).user_commands == words


def test_usercmd_from_lists() -> None:
    assert made(usercmd={"cmd": ["-device", "a b,c"]}).user_commands == ("-device", "a b,c")
    assert made(usercmd=["-S", "-no-reboot"]).user_commands == ("-S", "-no-reboot")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("usercmd = cmd=-device a,b=1", "a.cfg:2: usercmd: unknown option 'b'. Known: cmd"),
        ("usercmd = cmd=", "a.cfg:2: usercmd: option 'cmd' has no value"),
        ("usercmd = cmd=-x 'a", 'a.cfg:2: usercmd: cmd: "-x \'a": expected arguments as a shell'),
    ],
)
def test_usercmd_that_is_refused(body: str, message: str) -> None:
    assert refused(body).startswith(message)


def test_the_repair_of_a_cut_command_is_shown() -> None:
    assert 'quotes: cmd="-device a,b=1"' in refused("usercmd = cmd=-device a,b=1")
