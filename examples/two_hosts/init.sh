#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest: finds the memory devices, then runs the server, a client, or what
# commands on its second serial port say.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for word in $(cat /proc/cmdline); do
  case $word in role=* | host=* | name=*) export "$word" ;; esac
done

for device in /sys/bus/pci/devices/*; do
  # QEMU's ivshmem: its third memory range is the shared memory. The first is the region, a second
  # one the journal of the soak.
  if [ "$(cat "$device/vendor" "$device/device")" = "0x1af4
0x1110" ]; then
    echo 1 >"$device/enable"
    if [ -n "$GRPC_CXL_REGION" ]; then
      export JOURNAL=$device/resource2
    else
      export GRPC_CXL_REGION=$device/resource2
    fi
  fi
done
export GRPC_CXL_HOST=$host

echo "guest: $role on host $host, Linux $(uname -r), up for $(cut -d ' ' -f 1 /proc/uptime) s"
echo "guest: network interfaces: $(ls /sys/class/net | tr '\n' ' ')"
echo "guest: region $GRPC_CXL_REGION, $(stat -c %s "$GRPC_CXL_REGION") bytes"
# start NAME PROGRAM FLAGS...: in the background. Its process id is in /tmp/NAME.
start() {
  local name=$1
  shift
  rm -f "/tmp/$name"
  (
    "$@" &
    echo $! >"/tmp/$name.new"
    mv "/tmp/$name.new" "/tmp/$name"
    wait $!
    echo "ended $name $?"
  ) >/dev/console 2>&1 &
  until [ -e "/tmp/$name" ]; do sleep 0.01; done
}

# Each line on the port is a command, each answer its exit code.
obey() {
  stty raw -echo
  echo "guest: obeys" >/dev/console
  while read -r command; do
    eval "$command" >/dev/console 2>&1
    echo "exit $?"
  done
}

case $role in
  server) /server ;;
  client) /client --name="$name" ;;
  soak)
    export GRPC_CXL_SPIN_US=0  # threads that spin take an emulated processor from those that work
    obey </dev/ttyS1 >/dev/ttyS1
    ;;
esac
echo "guest: $role ended with status $?"
poweroff -f
