"""The ids of the devices and back ends that every VM of the library has."""

MONITOR_CHARDEV = "monitor"
AGENT_CHARDEV = "agent"
# QEMU sends VSERPORT_CHANGE only for a port that has an id.
AGENT_PORT = "agent-port"
AGENT_PORT_NAME = "org.qemu.guest_agent.0"
NAME_CHARDEV = "name"
NAME_PORT = "name-port"
NAME_PORT_NAME = "dtsvirtlibrary.name.0"
SERIAL_CHARDEV = "serial0"
CONTROL_NETDEV = "host-connect"
CONTROL_NIC = "host-connect-nic"
MEMORY_BACKEND = "ram"
HUMAN_MONITOR_CHARDEV = "human-monitor"
AGENT_BUS = "virtio-serial0"
RNG = "rng0"
RNG_DEVICE = "rng-device0"
PANIC_DEVICE = "pvpanic0"
GENERATION = "generation0"
VIDEO_DEVICE = "video0"
SCSI_CONTROLLER = "scsi0"
# Root ports of q35 that are kept free, since its root bus takes no device while it runs.
HOTPLUG_PORTS = ("hotplug0", "hotplug1", "hotplug2", "hotplug3")

RESERVED = frozenset(
    {
        MONITOR_CHARDEV,
        AGENT_CHARDEV,
        AGENT_PORT,
        NAME_CHARDEV,
        NAME_PORT,
        SERIAL_CHARDEV,
        CONTROL_NETDEV,
        CONTROL_NIC,
        MEMORY_BACKEND,
        HUMAN_MONITOR_CHARDEV,
        AGENT_BUS,
        RNG,
        RNG_DEVICE,
        PANIC_DEVICE,
        GENERATION,
        VIDEO_DEVICE,
        SCSI_CONTROLLER,
        *HOTPLUG_PORTS,
    }
)
