"""What can run a guest's instructions; apart from the specification, which takes long to import."""

from enum import Enum


class Accelerator(Enum):
    """What runs the guest's instructions; AUTO is KVM where it works, else TCG."""

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"
