#!/bin/bash
# Boots systemd under User-Mode Linux, whose kernel has control groups (v2) with all controllers, over an overlay of this
# machine's files, none of which is written; runs `/opt/waved-test/run` in it, powers it off.
#
#   boot_uml.sh FOLDER [SOURCE:TARGET…]
#
# FOLDER/files is copied over the machine's root before; /opt/waved-test/out is FOLDER/out after. SOURCE:TARGET: folders
# to be seen elsewhere inside. Needs root and the package user-mode-linux.
set -eu
if [ -z "${WAVED_TEST_BOOT-}" ]; then
    exec env WAVED_TEST_BOOT=1 unshare --mount --propagation private bash "$0" "$@"
fi
folder=$1
shift
mkdir "$folder/machine"
mount -t tmpfs -o mode=755 waved-test "$folder/machine"
root=$folder/machine/root
mkdir "$folder"/machine/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/machine/upper,workdir=$folder/machine/work" "$root"
trap 'umount -R --lazy "$folder/machine"; rmdir "$folder/machine"' EXIT
rm -rf "$root"/etc/systemd/{system,user}/*.wants "$root"/etc/rc?.d "$root"/var/log/journal "$root"/etc/systemd/*/waved.service*
: >"$root/etc/fstab"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
# What takes time or needs devices, and is not needed.
for unit in systemd-logind.service getty.target systemd-user-sessions.service systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service systemd-modules-load.service systemd-sysctl.service \
    systemd-remount-fs.service systemd-udevd.service systemd-udev-trigger.service modprobe@.service timers.target \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    sys-fs-fuse-connections.mount systemd-random-seed.service systemd-journal-flush.service \
    systemd-ask-password-wall.path systemd-ask-password-console.path cryptsetup.target \
    systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-sysusers.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
cp -a "$folder/files/." "$root/"
for pair in "$@"; do
    mkdir -p "$root${pair#*:}"
    mount --bind -o ro "${pair%%:*}" "$root${pair#*:}"
done
printf '%s\n' '[Unit]' 'After=multi-user.target dbus.service' 'Wants=dbus.service' '[Service]' 'Type=oneshot' \
    'ExecStart=/opt/waved-test/run' \
    'ExecStopPost=/bin/systemctl --no-block poweroff' 'TimeoutStartSec=240' \
    'StandardOutput=append:/opt/waved-test/said' 'StandardError=append:/opt/waved-test/said' \
    >"$root/etc/systemd/system/waved-test.service"
ln -s ../waved-test.service "$root/etc/systemd/system/multi-user.target.wants/"
timeout -k 5 300 linux.uml mem=1G rootfstype=hostfs rootflags="$root" rw init=/lib/systemd/systemd con0=null,fd:1 \
    con=null ssl=null quiet </dev/null >"$folder/console" 2>&1 || true
cp "$root/opt/waved-test/out" "$root/opt/waved-test/said" "$folder/" 2>/dev/null || true
