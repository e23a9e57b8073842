#include <map>
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/ctl/service_view.h"
#include "control/ctl/words.h"

namespace ballast::control {
namespace {

constexpr size_t kAddressWidth = 33;

using Numbers = std::vector<Cell>;

Table counter_table(std::vector<std::string> headings, Style style) {
  std::vector<Column> columns{{"Prot LocalAddress:Port", Align::kLeft, kAddressWidth}};
  for (std::string& heading : headings) {
    columns.push_back({std::move(heading), Align::kRight});
  }
  Table table(std::move(columns), style);
  table.add_line(style.paint(Colour::kHeading, "  -> RemoteAddress:Port"));
  return table;
}

// The first listener carries the sums of the service; the others are named.
template <class Service>
void add_service(Table& table, const Service& service, const Numbers& numbers) {
  bool first = true;
  for (const auto& listener : service.listeners()) {
    std::vector<Cell> row{fmt::format("{:<4} {}", protocol(listener.protocol()),
                                      endpoint(listener.address(), listener.port()))};
    if (std::exchange(first, false)) {
      row.insert(row.end(), numbers.begin(), numbers.end());
    }
    table.add(std::move(row));
  }
}

void add_server(Table& table, const std::string& name, const Numbers& numbers) {
  std::vector<Cell> row{"  -> " + name};
  row.insert(row.end(), numbers.begin(), numbers.end());
  table.add(std::move(row));
}

Numbers numbers_of(const ballast::api::Counters& counters, bool known) {
  Numbers numbers;
  for (const uint64_t number :
       {counters.connections(), counters.packets_in(), counters.packets_out(), counters.bytes_in(),
        counters.bytes_out()}) {
    numbers.emplace_back(known ? std::to_string(number) : "-");
  }
  return numbers;
}

Numbers numbers_of(const api::RateReport::Server& rate) {
  Numbers numbers;
  for (const double number : {rate.connections(), rate.packets_in(), rate.packets_out(),
                              rate.bytes_in(), rate.bytes_out()}) {
    numbers.emplace_back(fmt::format("{:.0f}", number));
  }
  return numbers;
}

void add_to(ballast::api::Counters& sum, const ballast::api::Counters& more) {
  sum.set_connections(sum.connections() + more.connections());
  sum.set_packets_in(sum.packets_in() + more.packets_in());
  sum.set_packets_out(sum.packets_out() + more.packets_out());
  sum.set_bytes_in(sum.bytes_in() + more.bytes_in());
  sum.set_bytes_out(sum.bytes_out() + more.bytes_out());
}

void add_to(api::RateReport::Server& sum, const api::RateReport::Server& more) {
  sum.set_connections(sum.connections() + more.connections());
  sum.set_packets_in(sum.packets_in() + more.packets_in());
  sum.set_packets_out(sum.packets_out() + more.packets_out());
  sum.set_bytes_in(sum.bytes_in() + more.bytes_in());
  sum.set_bytes_out(sum.bytes_out() + more.bytes_out());
}

using ServerId = std::tuple<std::string, std::string, uint32_t>;

bool began_anew(const ballast::api::Counters& before, const ballast::api::Counters& after) {
  return after.connections() < before.connections() || after.packets_in() < before.packets_in() ||
         after.packets_out() < before.packets_out() || after.bytes_in() < before.bytes_in() ||
         after.bytes_out() < before.bytes_out();
}

void fill_rate(api::RateReport::Server& rate, const ballast::api::Counters& before,
               const ballast::api::Counters& after, double seconds) {
  const auto per_second = [seconds](uint64_t from, uint64_t to) {
    return static_cast<double>(to - from) / seconds;
  };
  rate.set_connections(per_second(before.connections(), after.connections()));
  rate.set_packets_in(per_second(before.packets_in(), after.packets_in()));
  rate.set_packets_out(per_second(before.packets_out(), after.packets_out()));
  rate.set_bytes_in(per_second(before.bytes_in(), after.bytes_in()));
  rate.set_bytes_out(per_second(before.bytes_out(), after.bytes_out()));
}

}  // namespace

std::string render_counters(const api::ListServicesAnswer& answer, Style style) {
  Table table = counter_table({"Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"}, style);
  for (const auto& service : answer.services()) {
    ballast::api::Counters sum;
    for (const auto& server : service.servers()) {
      add_to(sum, server.counters());
    }
    add_service(table, service, numbers_of(sum, answer.counted()));
    for (const auto& server : service.servers()) {
      add_server(table, server_endpoint(service, server),
                 numbers_of(server.counters(), answer.counted()));
    }
  }
  return table.to_string();
}

api::RateReport rates(const api::ListServicesAnswer& before, const api::ListServicesAnswer& after) {
  api::RateReport report;
  std::map<ServerId, const ballast::api::Counters*> earlier;
  for (const auto& service : before.services()) {
    for (const auto& server : service.servers()) {
      earlier[{service.name(), server.address(), server.port()}] = &server.counters();
    }
  }
  const bool comparable =
      before.counted() && after.counted() && after.counted_at_ms() > before.counted_at_ms();
  const double seconds =
      comparable ? static_cast<double>(after.counted_at_ms() - before.counted_at_ms()) / 1000 : 0;
  report.set_seconds(seconds);
  for (const auto& service : after.services()) {
    auto& rated = *report.add_services();
    rated.set_name(service.name());
    *rated.mutable_listeners() = service.listeners();
    for (const auto& server : service.servers()) {
      const auto found = earlier.find({service.name(), server.address(), server.port()});
      if (!comparable || found == earlier.end() || began_anew(*found->second, server.counters())) {
        continue;
      }
      auto& rate = *rated.add_servers();
      rate.set_address(server.address());
      rate.set_port(server.port());
      fill_rate(rate, *found->second, server.counters(), seconds);
    }
  }
  return report;
}

std::string render_rates(const api::RateReport& report, Style style) {
  Table table = counter_table({"CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"}, style);
  for (const auto& service : report.services()) {
    api::RateReport::Server sum;
    for (const auto& server : service.servers()) {
      add_to(sum, server);
    }
    add_service(table, service, numbers_of(sum));
    for (const auto& server : service.servers()) {
      add_server(table, endpoint(server.address(), server.port()), numbers_of(server));
    }
  }
  return table.to_string();
}

}  // namespace ballast::control
