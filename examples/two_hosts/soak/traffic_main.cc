// SPDX-License-Identifier: Apache-2.0

// The traffic of one machine of the soak: takes parcels from all machines and sends some to all,
// and has users of the hotel. Prints each second how many calls of each path succeeded, and a line
// that begins with "WRONG" when something has happened that never must.

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/log/check.h"
#include "absl/log/initialize.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/hotel_reservation/services/journal.h"
#include "examples/two_hosts/soak/hotel_users.h"
#include "examples/two_hosts/soak/parcels.h"
#include "examples/two_hosts/soak/path.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_builder.h"
#include "grpc_cxl/server_credentials.h"

ABSL_FLAG(int, host, 0, "the number of this machine");
ABSL_FLAG(int, hosts, 3, "how many machines there are");
ABSL_FLAG(bool, hotel, true, "whether the hotel's services run");
ABSL_FLAG(std::string, name, "", "of this process, in all of the soak");
ABSL_FLAG(std::string, journal, "", "where calls are noted that are served");
ABSL_FLAG(absl::Duration, deadline, absl::Seconds(5), "of a call");
ABSL_FLAG(absl::Duration, pause, absl::Milliseconds(20), "between two calls of a path");

namespace soak {
namespace {

std::unique_ptr<grpc::Server> Serve(ParcelsService* service) {
  auto journal = hotel_reservation::Journal::Open(absl::GetFlag(FLAGS_journal));
  CHECK_OK(journal);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(hotel_reservation::NoteCalls(*std::move(journal)));
  grpc_cxl::ServerOptions options;
  options.ring_bytes = 64 << 10;
  options.payload_bytes = 1 << 20;  // so that some parcels find no block, and go through the ring
  grpc_cxl::ServerBuilder builder;
  builder.AddListeningPort(ParcelsAddress(absl::GetFlag(FLAGS_host)),
                           grpc_cxl::ServerCredentials(options));
  builder.RegisterService(service);
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  return builder.BuildAndStart();
}

int Main() {
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop_signals, nullptr);
  ParcelsService service;
  const std::unique_ptr<grpc::Server> server = Serve(&service);
  if (server == nullptr) return 1;  // the log says why

  HotelUsers users;
  Traffic traffic;
  traffic.name = absl::GetFlag(FLAGS_name);
  traffic.deadline = absl::GetFlag(FLAGS_deadline);
  traffic.pause = absl::GetFlag(FLAGS_pause);
  std::vector<std::unique_ptr<Path>> paths;
  const auto add = [&](std::string name, Path::Call call) {
    paths.push_back(std::make_unique<Path>(std::move(name), traffic, std::move(call)));
  };
  for (int host = 0; host < absl::GetFlag(FLAGS_hosts); ++host) {
    add(absl::StrCat("parcels-", host), SendParcels(host, /*direct=*/true));
    add(absl::StrCat("http2-", host), SendParcels(host, /*direct=*/false));
  }
  if (absl::GetFlag(FLAGS_hotel)) {
    add("search", users.Search());
    add("recommend", users.Recommend());
    add("reserve", users.Reserve());
  }

  const timespec second = {1, 0};
  while (sigtimedwait(&stop_signals, nullptr, &second) != SIGTERM) {
    std::string line = absl::StrCat("traffic ", traffic.name);
    int64_t failed = 0;
    for (const auto& path : paths) {
      absl::StrAppend(&line, " ", path->name(), "=", path->TakeServed());
      failed += path->TakeFailed();
    }
    const std::string digest = users.AnswersDigest();
    absl::StrAppend(&line, " failed=", failed, " answers=", digest.empty() ? "-" : digest, "\n");
    std::cout << line << std::flush;
  }
  traffic.stopping.store(true, std::memory_order_relaxed);
  paths.clear();
  grpc_cxl::Shutdown(*server, absl::Now() + absl::Seconds(2));
  return 0;
}

}  // namespace
}  // namespace soak

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
  return soak::Main();
}
