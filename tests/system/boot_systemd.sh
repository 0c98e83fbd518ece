#!/bin/bash
# Boots systemd as PID 1 of namespaces of its own over an overlay of this machine's files, none of which is written.
#
#   boot_systemd.sh FOLDER [SOURCE:TARGET…]     prints "booted PID" and holds it until stdin is closed; then all is gone
#
# FOLDER: an empty one. SOURCE:TARGET: folders to be seen elsewhere inside, read-only. Needs root, util-linux, systemd.
set -eu
if [ -z "${WAVED_TEST_BOOT-}" ]; then
    exec env WAVED_TEST_BOOT=1 unshare --mount --propagation private bash "$0" "$@"
fi
folder=$1
shift
root=$folder/root
group=$folder/groups/waved-test-$$
init=

# The first child of a process: all that the processes in between ever have is one.
child_of() { read -r -d ' ' child <"/proc/$1/task/$1/children" && echo "$child"; }

end() {
    set +e
    [ -z "$init" ] || kill -RTMIN+4 "$init"   # poweroff.target
    for _ in {1..200}; do
        kill -0 "$outer" || break
        sleep 0.02
    done
    echo 1 >"$group/cgroup.kill"
    kill -9 "$outer"
    wait "$outer"
    for _ in {1..50}; do
        find "$group" -depth -type d -exec rmdir {} \;
        [ -d "$group" ] || break
        sleep 0.02
    done
    umount -R --lazy "$folder"
} 2>/dev/null
trap end EXIT
trap 'exit 143' TERM INT HUP

mount -t tmpfs -o mode=755 waved-test "$folder"
mkdir "$folder"/{upper,work,root,groups}
mount -t cgroup2 cgroup2 "$folder/groups"
mkdir "$group"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
# Nothing of what this machine has enabled or logged is there inside, nor what would reach state that is shared.
rm -rf "$root"/etc/systemd/{system,user}/*.wants "$root"/etc/rc?.d "$root"/var/log/journal "$root"/etc/systemd/*/waved.service*
mkdir -p "$root"/etc/systemd/system "$root"/var/log/journal
for unit in systemd-sysctl.service systemd-modules-load.service sys-kernel-debug.mount sys-kernel-tracing.mount \
    dev-hugepages.mount sys-fs-fuse-connections.mount; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
for pair in "$@"; do
    mkdir -p "$root${pair#*:}"
    mount --bind -o ro "${pair%%:*}" "$root${pair#*:}"
done

export root group
# In the new namespaces: enter the group, which becomes the topmost one inside, then make what a machine has.
setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount --uts --ipc --net bash -euc '
    echo 0 >"$group/cgroup.procs"
    exec unshare --cgroup bash -euc "
        mount -t proc proc $root/proc
        mount --bind $root/proc/sys $root/proc/sys
        mount -o remount,bind,ro $root/proc/sys
        mount -t sysfs -o ro sysfs $root/sys
        mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
        for place in dev run tmp; do mount -t tmpfs -o mode=755 tmpfs $root/\$place; done
        chmod 1777 $root/tmp
        mkdir $root/dev/pts $root/dev/shm
        chmod 1777 $root/dev/shm
        cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty $root/dev/
        mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts $root/dev/pts
        ln -s pts/ptmx $root/dev/ptmx
        cd $root
        pivot_root . .
        umount --lazy .
        mount --make-rshared /
        exec env -i container=waved-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target
    "
' </dev/null >"$folder/boot.log" 2>&1 &
outer=$!

for _ in {1..500}; do
    kill -0 "$outer" 2>/dev/null || { cat "$folder/boot.log" >&2; exit 1; }
    init=$(child_of "$outer" 2>/dev/null) || init=
    state=
    [ -z "$init" ] || state=$(nsenter -t "$init" -a timeout 30 systemctl is-system-running --wait 2>/dev/null) || true
    case $state in running | degraded) break ;; esac
    sleep 0.02
done
echo "booted $init $state"
cat >/dev/null
