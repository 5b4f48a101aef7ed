#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the certificates of identity_test.cc anew, in this folder. They are checked in so that
# the tests need no openssl; they protect nothing and hold for a hundred years.
set -eu
cd "$(dirname "$0")"

new_key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
}

# NAME SUBJECT ALTERNATIVE_NAMES
new_certificate() {
  new_key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$2" \
    -addext "basicConstraints = critical, CA:false" -addext "subjectAltName = $3" |
    openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy \
      -days 36500 -out "$1.pem"
}

new_key ca
openssl req -x509 -new -key ca.key -subj "/CN=grpc_cxl test authority" -days 36500 -out ca.pem
new_certificate server e2e.echo "DNS:e2e.echo, IP:127.0.0.1"
new_certificate stranger somebody.else "DNS:somebody.else"
new_certificate client e2e-client "DNS:e2e-client"
rm -f ca.key ca.srl
