#!/bin/sh
# Adds the drivers of every disk that QEMU offers.
set -e
case ${1:-} in prereqs) exit 0 ;; esac
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_pci virtio_blk virtio_scsi ata_piix ahci sd_mod nvme ext4
