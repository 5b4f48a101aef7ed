// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/web/web_server.h"

#include <google/protobuf/util/json_util.h>
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/web/error.pb.h"
#include "grpc_cxl/priority.h"

namespace hotel_reservation {
namespace {

constexpr char kPage[] =
#include "examples/hotel_reservation/web/page.inc"
    ;

constexpr int kMaxConnections = 64;
constexpr char kRequestId[] = "x-request-id";
constexpr std::chrono::seconds kDeadline(5);

// The request's number of the client's, or one of ours.
std::string RequestId(const httplib::Request& request) {
  const std::string id = request.get_header_value(kRequestId);
  const bool legal = std::all_of(id.begin(), id.end(), absl::ascii_isgraph);
  if (!id.empty() && id.size() <= 100 && legal) return id;
  thread_local std::mt19937_64 random{std::random_device()()};
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad16));
}

int HttpStatus(grpc::StatusCode code) {
  switch (code) {
    case grpc::OK:
      return 200;
    case grpc::INVALID_ARGUMENT:
      return 400;
    case grpc::UNAUTHENTICATED:
      return 401;
    case grpc::NOT_FOUND:
      return 404;
    case grpc::RESOURCE_EXHAUSTED:
      return 409;
    case grpc::DEADLINE_EXCEEDED:
      return 504;
    default:
      return 503;
  }
}

void Answer(httplib::Response& response, int status, const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_fields_with_no_presence = true;
  std::string json;
  CHECK_OK(google::protobuf::util::MessageToJsonString(message, &json, options));
  response.status = status;
  response.set_content(json, "application/json");
}

// The parameters of a request. complaint() names the first that is missing or wrong.
class Parameters {
 public:
  explicit Parameters(const httplib::Request& request) : request_(request) {}

  std::string Text(const char* name) {
    if (!request_.has_param(name)) Complain(absl::StrCat("The parameter ", name, " is missing."));
    return request_.get_param_value(name);
  }

  std::string Text(const char* name, const std::string& otherwise) {
    return request_.has_param(name) ? request_.get_param_value(name) : otherwise;
  }

  double Number(const char* name) {
    double number = 0;
    const std::string text = Text(name);
    if (!absl::SimpleAtod(text, &number)) {
      Complain(absl::StrCat(name, "=", text, " is not a number."));
    }
    return number;
  }

  int Integer(const char* name, int otherwise) {
    int number = otherwise;
    if (request_.has_param(name) && !absl::SimpleAtoi(request_.get_param_value(name), &number)) {
      Complain(absl::StrCat(name, "=", request_.get_param_value(name), " is not a whole number."));
    }
    return number;
  }

  void Place(Location& location) {
    location.set_latitude(Number("latitude"));
    location.set_longitude(Number("longitude"));
  }

  void Dates(Stay& stay) {
    stay.set_check_in(Text("check_in"));
    stay.set_check_out(Text("check_out"));
  }

  void Complain(std::string sentence) {
    if (complaint_.empty()) complaint_ = std::move(sentence);
  }
  const std::string& complaint() const { return complaint_; }

 private:
  const httplib::Request& request_;
  std::string complaint_;
};

void Read(Parameters& from, SearchHotelsRequest& request) {
  from.Place(*request.mutable_location());
  from.Dates(*request.mutable_stay());
}

void Read(Parameters& from, RecommendRequest& request) {
  const std::string measure = from.Text("measure");
  request.set_measure(measure == "distance" ? DISTANCE
                      : measure == "rate"   ? RATE
                      : measure == "price"  ? PRICE
                                            : MEASURE_UNSPECIFIED);
  if (request.measure() == MEASURE_UNSPECIFIED) {
    from.Complain(absl::StrCat("measure=", measure, " is none of distance, rate and price."));
  }
  from.Place(*request.mutable_location());
}

void Read(Parameters& from, LogInRequest& request) {
  request.set_user_name(from.Text("user_name"));
  request.set_password(from.Text("password"));
}

void Read(Parameters& from, ReserveRequest& request) {
  request.set_user_name(from.Text("user_name"));
  request.set_password(from.Text("password"));
  request.set_hotel_id(from.Text("hotel_id"));
  from.Dates(*request.mutable_stay());
  request.set_rooms(from.Integer("rooms", 1));
  request.set_customer_name(from.Text("customer_name", request.user_name()));
}

class HttplibServer : public WebServer {
 public:
  explicit HttplibServer(std::shared_ptr<grpc::Channel> frontend)
      : stub_(Frontend::NewStub(std::move(frontend))) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(4, kMaxConnections); };
    server_.set_keep_alive_max_count(1'000'000);
    server_.set_tcp_nodelay(true);
    server_.Get("/", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(kPage, "text/html; charset=utf-8");
    });
    server_.Get("/hotels", Handler<SearchHotelsReply>(&Frontend::Stub::SearchHotels));
    server_.Get("/recommendations", Handler<RecommendReply>(&Frontend::Stub::Recommend));
    server_.Post("/user", Handler<LogInReply>(&Frontend::Stub::LogIn));
    server_.Post("/reservation", Handler<ReserveReply>(&Frontend::Stub::Reserve));
    server_.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
      if (!response.body.empty()) return;  // an error of our handlers
      Error error;
      error.set_error(absl::StrCat("There is no ", request.method, " ", request.path, "."));
      Answer(response, response.status, error);
    });
  }

  absl::Status Listen(const std::string& address) {
    const std::vector<std::string> parts = absl::StrSplit(address, ':');
    int port = 0;
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &port) || port < 0 || port > 65535) {
      return absl::InvalidArgumentError(
          absl::StrCat("--http=", address, " is not HOST:PORT, such as 127.0.0.1:8080."));
    }
    // By default httplib would share the port with other processes (SO_REUSEPORT).
    server_.set_socket_options([](socket_t socket) {
      const int on = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    });
    if (port == 0) {
      port = server_.bind_to_any_port(parts[0]);
    } else if (!server_.bind_to_port(parts[0], port)) {
      port = -1;
    }
    if (port < 0) {
      return absl::UnavailableError(absl::StrCat("Cannot serve HTTP on ", address,
                                                 ": choose another --http=HOST:PORT, or leave it ",
                                                 "empty to do without."));
    }
    url_ = absl::StrCat("http://", parts[0], ":", port, "/");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    server_.wait_until_ready();
    return absl::OkStatus();
  }

  ~HttplibServer() override {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }

  const std::string& url() const override { return url_; }

 private:
  template <typename Reply, typename Request>
  httplib::Server::Handler Handler(grpc::Status (Frontend::Stub::*call)(grpc::ClientContext*,
                                                                        const Request&, Reply*)) {
    return [this, call](const httplib::Request& http_request, httplib::Response& http_response) {
      Parameters parameters(http_request);
      Request request;
      Read(parameters, request);
      Reply reply;
      grpc::Status status(grpc::INVALID_ARGUMENT, parameters.complaint());
      if (parameters.complaint().empty()) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + kDeadline);
        // Here requests enter: the services behind pass both on.
        const std::string id = RequestId(http_request);
        context.AddMetadata(kRequestId, id);
        http_response.set_header(kRequestId, id);
        grpc_cxl::SetPriority(&context, grpc_cxl::Priority::kInteractive);
        status = (stub_.get()->*call)(&context, request, &reply);
      }
      if (status.ok()) return Answer(http_response, 200, reply);
      Error error;
      error.set_error(status.error_message());
      Answer(http_response, HttpStatus(status.error_code()), error);
    };
  }

  const std::unique_ptr<Frontend::Stub> stub_;
  httplib::Server server_;
  std::string url_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<WebServer>> WebServer::Start(
    const std::string& address, std::shared_ptr<grpc::Channel> frontend) {
  auto server = std::make_shared<HttplibServer>(std::move(frontend));
  if (absl::Status listening = server->Listen(address); !listening.ok()) return listening;
  return server;
}

}  // namespace hotel_reservation
