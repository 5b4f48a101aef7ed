#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two virtual machines without a network, one memory device between them, and a gRPC call
# from one to the other; see README.md. Run it with
#
#   ./bazelw run //examples/two_hosts:demo
#
# Leaves nothing behind except two Debian packages in a cache (GRPC_CXL_CACHE, else
# ~/.cache/grpc_cxl). QEMU_ACCEL=kvm uses hardware virtualisation instead of emulation.
set -euo pipefail

skip() {
  echo "skipped: $*"
  exit 0
}
command -v qemu-system-x86_64 >/dev/null ||
  skip "this demonstration needs QEMU (apt-get install qemu-system-x86)"
readonly runfiles=$(cd "${RUNFILES_DIR:-$0.runfiles}"/* 2>/dev/null && pwd || pwd)
readonly work=$(mktemp -d)
readonly region_bytes=$((64 << 20))
# In /dev/shm if it has space, so that the guests' memory does not go through a disk's page cache.
if [ "$(stat -f -c %a /dev/shm 2>/dev/null || echo 0)" -gt $((region_bytes / 4096 * 2)) ]; then
  readonly region=$(mktemp /dev/shm/grpc_cxl_two_hosts.XXXXXX)
else
  readonly region=$work/region
fi
guests=()
clean_up() {
  for pid in "${guests[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work" "$region"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

"$runfiles/examples/two_hosts/image.sh" "$work" "$runfiles/examples/two_hosts/greeter.tar.gz" >"$work/why" || {
  [ $? = 77 ] && skip "$(cat "$work/why")"
  exit 1
}
"$runfiles/grpc_cxl/tools/cxl_region" format "$region" --hosts=2 --bytes=$region_bytes --lease=3s

# guest NAME KERNEL_ARGUMENTS...: starts a guest, which writes to $work/NAME.log.
guest() {
  local name=$1
  shift
  qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -nic none \
    -machine q35 -accel "${QEMU_ACCEL:-tcg}" -cpu max -m 512 \
    -object memory-backend-file,id=region,share=on,size=$region_bytes,mem-path="$region" \
    -device ivshmem-plain,memdev=region \
    -kernel "$work/kernel" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet panic=-1 no_timer_check $*" -serial "file:$work/$name.log" &
  guests+=($!)
}

# wait_for NAME TEXT PID: until the guest's log has the text.
wait_for() {
  for _ in $(seq 1200); do
    grep -q "$2" "$work/$1.log" 2>/dev/null && return
    kill -0 "$3" 2>/dev/null || break
    sleep 0.1
  done
  grep -q "$2" "$work/$1.log" 2>/dev/null && return
  echo "FAILED: the guest '$1' did not say '$2'. What it said:"
  cat "$work/$1.log"
  exit 1
}

show() { sed -n "s/\r\$//; s/^/  $1 | /p" "$work/$1.log"; }

# call NAME: greets the server from a new guest.
call() {
  guest "$1" role=client host=1 name="$1"
  wait_for "$1" 'client ended with status' "${guests[-1]}"
  show "$1"
  grep -q "Hello, $1!" "$work/$1.log" || { echo "FAILED: no greeting came back"; exit 1; }
  wait "${guests[-1]}" || true
}

echo "starting the server's guest ..."
guest server role=server host=0
wait_for server 'Listening' "${guests[-1]}"
readonly first_server=${guests[-1]}
show server
echo "starting a client's guest ..."
call Ada
echo "the region, seen from outside:"
"$runfiles/grpc_cxl/tools/cxl_region" show "$region" | sed 's/^/  /'
echo "pulling the plug of the server's guest, and starting it again ..."
kill -KILL "$first_server"
wait "$first_server" 2>/dev/null || true
guest successor role=server host=0
wait_for successor 'Listening' "${guests[-1]}"
call Grace
echo "Two machines, two calls, $SECONDS seconds."
