"""The embedded guest: a kernel and an initramfs that the library builds itself."""

from DtsVirtLibrary.guest.image.builder import GuestImage, embedded_guest, login_key
from DtsVirtLibrary.guest.image.recipe import GUEST_APPEND

__all__ = ["GUEST_APPEND", "GuestImage", "embedded_guest", "login_key"]
