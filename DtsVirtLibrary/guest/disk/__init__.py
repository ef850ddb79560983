"""A guest on a disk, prepared as the library wants it: an image that any VM can boot."""

from DtsVirtLibrary.guest.disk.builder import DiskImage, disk_image
from DtsVirtLibrary.guest.disk.recipe import DISK_RECIPES

__all__ = ["DISK_RECIPES", "DiskImage", "disk_image"]
