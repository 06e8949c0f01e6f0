#!/bin/busybox sh
# The guest's process 1: mounts, modules, settings; runs the program; sends its
# exit status and the wanted files back as a tar archive; ends.
b=/bin/busybox
if [ "$1" != second ]; then
  # The first root file system is not a mount that pivot_root could move.
  $b mkdir /new; $b mount -t tmpfs -o mode=755,size=90% root /new
  $b cp -a /init /bin /etc /vmexec /new/ && exec $b switch_root /new /init second
fi
$b mkdir -p /proc /sys /dev /tmp /root /run /bin /sbin /usr/bin /usr/sbin
$b --install -s
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts; mount -t tmpfs -o mode=1777 shm /dev/shm; mount -t devpts pts /dev/pts
ln -sf /proc/self/fd /dev/fd; ln -sf /proc/self/fd/0 /dev/stdin; ln -sf /proc/self/fd/1 /dev/stdout; ln -sf /proc/self/fd/2 /dev/stderr
stty raw -echo </dev/console 2>/dev/null
fail() { echo "vmexec: $*" >/dev/console; sync; poweroff -f; sleep 60; }

for m in /vmexec/modules/*.ko; do
  [ ! -e "$m" ] || insmod "$m" || fail "the kernel refuses module ${m##*/}"
done
port() { for p in /sys/class/virtio-ports/*; do [ "$(cat "$p/name")" = "$1" ] && echo "/dev/${p##*/}" && return; done; }
for i in 1 2 3 4 5 6 7 8 9 10; do # a device takes a moment
  out=$(port out) back=$(port back); [ -z "$out" ] || [ -z "$back" ] || break; sleep 0.2
done
[ -c "$out" ] && [ -c "$back" ] || fail "no virtio ports"

. /vmexec/setup
case $scene in
  tmpfs) mount -t tmpfs -o mode=1777 tmp /tmp ;;
  ext4) mount -t ext4 /dev/vda /tmp ;;
  overlay) mkdir /run/o; mount -t tmpfs over /run/o; mkdir -m 1777 /run/o/lower /run/o/upper /run/o/work
    mount -t overlay -o lowerdir=/run/o/lower,upperdir=/run/o/upper,workdir=/run/o/work over /tmp ;;
esac || fail "cannot mount $scene on /tmp"
chmod 1777 /tmp
for s in $sysctls; do sysctl -qw "$s" 2>/dev/console || fail "the kernel refuses sysctl $s"; done
ip link set lo up
[ "$user" = 0 ] || { mkdir -m 700 /tmp/own; chown "$user:$user" /tmp/own; }
# The files of the module, at the path that they have on the host.
mkdir -p "${tree%/*}"; [ ! -d "$tree" ] || rmdir "$tree" 2>/dev/null; mv /vmexec/tree "$tree"
for d in /vmexec/add/*; do [ ! -e "$d" ] || cp -a "$d" /; done
while IFS= read -r d; do mkdir -p "$d"; chmod 777 "$d"; done </vmexec/dirs
chmod 1777 /tmp /dev/shm # of which the files may have brought a mode

mkfifo /run/out; cat /run/out >"$out" & cat=$!
echo "vmexec: begin" >/dev/console
# In the foreground, since what runs in a shell's background ignores SIGINT; and in
# a subshell that it replaces, so that the shell's own word about a signal goes to
# the console and not into what the program says.
if [ "$user" = 0 ]; then
  (exec /bin/sh /vmexec/run >/run/out 2>&1 </dev/null)
else
  (exec su -s /bin/sh "$(awk -F: -v u="$user" '$3 == u { print $1 }' /etc/passwd)" -c 'exec /bin/sh /vmexec/run' >/run/out 2>&1 </dev/null)
fi
echo $? >/vmexec/status
# What it left running may hold the pipe; go test waits 5 seconds for such.
for i in $(seq 50); do kill -0 $cat 2>/dev/null || break; sleep 0.1; done
set --
while IFS= read -r f; do [ ! -e "$f" ] || set -- "$@" "${f#/}"; done </vmexec/back
tar -c -f "$back" -C / vmexec/status "$@" 2>/dev/console
sync; poweroff -f; sleep 60
