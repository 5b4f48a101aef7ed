#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The first and only process of a guest: finds the memory device, then is the server or a client.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for word in $(cat /proc/cmdline); do
  case $word in role=* | host=* | name=*) export "$word" ;; esac
done

for device in /sys/bus/pci/devices/*; do
  # QEMU's ivshmem: its third memory range is the shared memory.
  if [ "$(cat "$device/vendor" "$device/device")" = "0x1af4
0x1110" ]; then
    echo 1 >"$device/enable"
    export GRPC_CXL_REGION=$device/resource2
  fi
done
export GRPC_CXL_HOST=$host

echo "guest: $role on host $host, Linux $(uname -r), up for $(cut -d ' ' -f 1 /proc/uptime) s"
echo "guest: network interfaces: $(ls /sys/class/net | tr '\n' ' ')"
echo "guest: region $GRPC_CXL_REGION, $(stat -c %s "$GRPC_CXL_REGION") bytes"
case $role in
  server) /server ;;
  client) /client --name="$name" ;;
esac
echo "guest: $role ended with status $?"
poweroff -f
