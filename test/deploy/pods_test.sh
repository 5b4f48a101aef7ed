#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
PYTHONPATH=test/support exec python3 -B test/deploy/pods.py deploy/kubernetes examples/hotel_reservation grpc_cxl/tools
