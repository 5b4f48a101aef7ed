// SPDX-License-Identifier: Apache-2.0
// A program of somebody who uses grpc_cxl: serves orders, places some, and says how it went.

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "google/protobuf/timestamp.pb.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/connection_counters.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_builder.h"
#include "grpc_cxl/server_credentials.h"
#include "money/money.pb.h"
#include "orders/orders.grpc.pb.h"

namespace {

using orders::Order;
using orders::Receipt;

class OrdersService final : public orders::Orders::Service {
  grpc::Status Place(grpc::ServerContext*, const Order* order, Receipt* receipt) override {
    *receipt = ReceiptFor(order->price().cents());
    return grpc::Status::OK;
  }

  grpc::Status Track(grpc::ServerContext*, const Order* order,
                     grpc::ServerWriter<Receipt>* receipts) override {
    for (int i = 1; i <= 3; ++i) receipts->Write(ReceiptFor(i * order->price().cents()));
    return grpc::Status::OK;
  }

  grpc::Status PlaceAll(grpc::ServerContext*, grpc::ServerReader<Order>* orders,
                        Receipt* receipt) override {
    int64_t cents = 0;
    for (Order order; orders->Read(&order);) cents += order.price().cents();
    *receipt = ReceiptFor(cents);
    return grpc::Status::OK;
  }

  grpc::Status Haggle(grpc::ServerContext*,
                      grpc::ServerReaderWriter<Order, Order>* stream) override {
    for (Order order; stream->Read(&order);) {
      order.mutable_price()->set_cents(order.price().cents() + 1);
      stream->Write(order);
    }
    return grpc::Status::OK;
  }

  static Receipt ReceiptFor(int64_t cents) {
    Receipt receipt;
    receipt.mutable_total()->set_cents(cents);
    receipt.mutable_when()->set_seconds(1);
    return receipt;
  }
};

Order OrderFor(int64_t cents) {
  Order order;
  order.mutable_price()->set_cents(cents);
  return order;
}

void Expect(const std::string& what, int64_t expected, int64_t found) {
  std::cout << what << ": " << found << std::endl;
  if (found == expected) return;
  std::cerr << what << " should be " << expected << std::endl;
  std::exit(1);
}

}  // namespace

int main() {
  OrdersService service;
  grpc_cxl::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc_cxl::ServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;  // the log says why
  const auto stub = orders::Orders::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc_cxl::ChannelCredentials()));

  Receipt receipt;
  {
    grpc::ClientContext context;
    Expect("status of a stream of orders", grpc::OK, [&] {
      const auto writer = stub->PlaceAll(&context, &receipt);
      for (int i = 1; i <= 4; ++i) writer->Write(OrderFor(i));
      writer->WritesDone();
      return writer->Finish().error_code();
    }());
    Expect("cents of them", 10, receipt.total().cents());
  }
  {
    grpc::ClientContext context;
    Expect("status of an order", grpc::OK,
           stub->Place(&context, OrderFor(5), &receipt).error_code());
    Expect("cents of it", 5, receipt.total().cents());
    Expect("time of it", 1, receipt.when().seconds());
  }
  {
    grpc::ClientContext context;
    const auto receipts = stub->Track(&context, OrderFor(2));
    int64_t cents = 0;
    while (receipts->Read(&receipt)) cents += receipt.total().cents();
    Expect("status of a stream of receipts", grpc::OK, receipts->Finish().error_code());
    Expect("cents of it", 12, cents);
  }
  {
    grpc::ClientContext context;
    const auto stream = stub->Haggle(&context);
    Order order = OrderFor(7);
    for (int i = 0; i < 3; ++i) {
      stream->Write(order);
      stream->Read(&order);
    }
    stream->WritesDone();
    Expect("status of two streams", grpc::OK, stream->Finish().error_code());
    Expect("cents after haggling", 10, order.price().cents());
  }
  Expect("connections through memory", 1,
         static_cast<int64_t>(grpc_cxl::GetConnectionCounters().memory));
  Expect("direct calls", 1, static_cast<int64_t>(grpc_cxl::GetDirectCallStats().direct));
  grpc_cxl::Shutdown(*server);
}
