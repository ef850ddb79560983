"""The guest that the library builds itself, and the cache that it is kept in."""

from DtsVirtLibrary.guest.image.builder import GuestImage, embedded_guest, login_key
from DtsVirtLibrary.guest.image.recipe import GUEST_APPEND

__all__ = ["GUEST_APPEND", "GuestImage", "embedded_guest", "login_key"]
