#!/bin/sh
# Runs once in the finished system, before it becomes an image.
set -eu

# Opened by the guest agent only: to the user's key, or with the password of the parameter login.
usermod -p '*' root
echo "made by dtsvirt guest build" >/etc/dtsvirt-guest
echo guest >/etc/hostname
printf '127.0.0.1 localhost guest\n' >/etc/hosts
# The name server of QEMU's user network.
printf 'nameserver 10.0.2.3\n' >/etc/resolv.conf

systemctl enable --quiet systemd-networkd.service
# What a test machine does not need and a slow one waits for.
systemctl mask --quiet \
    systemd-networkd-wait-online.service systemd-pstore.service systemd-binfmt.service \
    systemd-journal-flush.service systemd-random-seed.service systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service systemd-timesyncd.service e2scrub_reap.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    sys-kernel-debug.mount sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount \
    systemd-machine-id-commit.service systemd-rfkill.socket systemd-quotacheck.service

rm -f /etc/ssh/ssh_host_rsa_key* /etc/ssh/ssh_host_ecdsa_key*
[ -e /etc/ssh/ssh_host_ed25519_key ]

# BIOS loads this from the sectors before the partition; it then reads grub.cfg.
grub-mkimage --format=i386-pc --prefix='(,msdos1)/boot/grub' --output=/boot/grub/core.img \
    biosdisk part_msdos ext2 normal linux echo
cp /usr/lib/grub/i386-pc/boot.img /boot/grub/boot.img

rm -rf /usr/local/lib/dtsvirt /var/lib/apt/lists/* /var/log/*.log
# All is up to date: without these, services at the boot would find out.
touch /etc/.updated /var/.updated
