"""The ids of the devices and back ends that every VM of the library has."""

MONITOR_CHARDEV = "monitor"
AGENT_CHARDEV = "agent"
# QEMU sends VSERPORT_CHANGE only for a port that has an id.
AGENT_PORT = "agent-port"
AGENT_PORT_NAME = "org.qemu.guest_agent.0"
SERIAL_CHARDEV = "serial0"
CONTROL_NETDEV = "host-connect"
CONTROL_NIC = "host-connect-nic"
MEMORY_BACKEND = "ram"

RESERVED = frozenset(
    {
        MONITOR_CHARDEV,
        AGENT_CHARDEV,
        AGENT_PORT,
        SERIAL_CHARDEV,
        CONTROL_NETDEV,
        CONTROL_NIC,
        MEMORY_BACKEND,
    }
)
