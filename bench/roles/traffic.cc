// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/traffic.h"

#include "bench/roles/echo_service.h"
#include "bench/roles/measure.h"

namespace grpc_cxl::bench {
namespace {

Counters operator-(const Counters& after, const Counters& before) {
  Counters difference;
  difference.set_sent(after.sent() - before.sent());
  difference.set_copied_to_send(after.copied_to_send() - before.copied_to_send());
  difference.set_received(after.received() - before.received());
  difference.set_copied_to_receive(after.copied_to_receive() - before.copied_to_receive());
  difference.set_memory_ns(after.memory_ns() - before.memory_ns());
  return difference;
}

// Copies of a byte on its way from `sender` to `receiver`.
double Copies(const Counters& sender, const Counters& receiver) {
  if (sender.sent() == 0 || receiver.received() == 0) return 0;
  return static_cast<double>(sender.copied_to_send()) / sender.sent() +
         static_cast<double>(receiver.copied_to_receive()) / receiver.received();
}

}  // namespace

std::optional<Traffic> TrafficSoFar(Echo::Stub& stub) {
  grpc::ClientContext context;
  Traffic traffic;
  const grpc::Status status = stub.Count(&context, {}, &traffic.server);
  if (!status.ok() || traffic.server.received() == 0) return std::nullopt;
  traffic.client = CountersOfThisProcess();
  return traffic;
}

void AddTraffic(const Traffic& before, const Traffic& after, RoundResult* result) {
  const Counters client = after.client - before.client, server = after.server - before.server;
  result->set_copies_there(Copies(client, server));
  result->set_copies_back(Copies(server, client));
  result->set_memory_us_per_call((client.memory_ns() + server.memory_ns()) / 1e3 /
                                 (result->calls() * (1 + kWarmUpShare)));
}

}  // namespace grpc_cxl::bench
