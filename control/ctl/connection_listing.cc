#include "control/ctl/connection_listing.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "control/ctl/connection_view.h"
#include "control/ctl/json.h"

namespace ballast::control {
namespace {

constexpr uint64_t kPage = 1000;

// One form of the output: gets pages, then the end.
class ConnectionOutput {
 public:
  explicit ConnectionOutput(Report& report) : report_(report), view_(report.style()) {}

  void page(const ballast::api::Connections& connections) {
    if (!report_.json()) {
      report_.print(view_.page(connections));
      return;
    }
    for (const auto& connection : connections.connections()) {
      report_.print((begun_ ? ",\n  " : "{\"connections\": [\n  ") + to_compact_json(connection));
      begun_ = true;
    }
  }

  void end(bool complete) {
    if (!report_.json()) {
      report_.print(view_.end());
      return;
    }
    report_.print(
        fmt::format("{}], \"complete\": {}}}\n", begun_ ? "\n" : "{\"connections\": [", complete));
  }

  ExitCode fail(const ClientError& error) {
    if (!report_.json() || !begun_) {
      return report_.fail(error);
    }
    report_.print("\n], \"complete\": false, \"failed\": ");
    const ExitCode exit_code = report_.fail(error);
    report_.print("}\n");
    return exit_code;
  }

 private:
  Report& report_;
  ConnectionView view_;
  bool begun_ = false;
};

api::Request request_of(const CommandLine& line) {
  api::Request request;
  auto& filter = *request.mutable_list_connections()->mutable_filter();
  filter.set_client(line.client);
  filter.set_vip(line.vip);
  filter.set_vip_port(line.vip_port);
  filter.set_server(line.server);
  return request;
}

// The dataplane's page ends where a slice of its table does, so it may be longer than was asked
// for. Says whether there were more than `most`.
bool cut(google::protobuf::RepeatedPtrField<ballast::api::ConnectionInfo>& connections,
         uint64_t most) {
  const auto count = static_cast<uint64_t>(connections.size());
  if (count <= most) {
    return false;
  }
  connections.DeleteSubrange(static_cast<int>(most), static_cast<int>(count - most));
  return true;
}

}  // namespace

ExitCode list_connections(const CommandLine& line, Session& session, Report& report) {
  ConnectionOutput output(report);
  api::Request request = request_of(line);
  auto& filter = *request.mutable_list_connections()->mutable_filter();
  uint64_t left = line.all ? std::numeric_limits<uint64_t>::max() : line.limit;
  for (;;) {
    filter.set_limit(static_cast<uint32_t>(std::min(left, kPage)));
    auto answer = session.ask(request);
    if (!answer) {
      return output.fail(answer.error());
    }
    auto& page = *answer->mutable_list_connections()->mutable_page();
    const bool more = cut(*page.mutable_connections(), left);
    output.page(page);
    left -= static_cast<uint64_t>(page.connections_size());
    const std::string& next = page.next_cursor();
    if (next.empty() && !more) {
      output.end(true);
      return ExitCode::kOk;
    }
    if (left == 0) {
      output.end(false);
      report.note(fmt::format("ballastctl: there are more than these {}: see --limit and --all",
                              line.limit));
      return ExitCode::kOk;
    }
    if (next == filter.cursor()) {
      return output.fail({ClientError::Kind::kBroken,
                          "ballastd gives the same page of connections again and again",
                          {}});
    }
    filter.set_cursor(next);
  }
}

}  // namespace ballast::control
