#include "control/ctl/connection_view.h"

#include "control/ctl/table.h"
#include "control/ctl/words.h"

namespace ballast::control {

std::string ConnectionView::page(const ballast::api::Connections& connections) {
  if (connections.connections().empty()) {
    return "";
  }
  Table table({{"pro"},
               {"expire", Align::kRight},
               {"state", Align::kLeft, std::string_view("ESTABLISHED").size()},
               {"trusted"},
               {"source"},
               {"virtual"},
               {"local"},
               {"destination"},
               {"service"}},
              style_);
  for (const auto& connection : connections.connections()) {
    table.add(
        {protocol(connection.protocol()), expiry(connection.expires_seconds()), connection.state(),
         connection.trusted() ? "yes" : "no",
         endpoint(connection.client(), connection.client_port()),
         endpoint(connection.vip(), connection.vip_port()),
         connection.local().empty() ? "-" : endpoint(connection.local(), connection.local_port()),
         endpoint(connection.server(), connection.server_port()), connection.service()});
  }
  table.widen(widths_);
  std::string text = headed_ ? "" : table.headings(widths_);
  headed_ = true;
  return text + table.rows(widths_);
}

std::string ConnectionView::end() const {
  return headed_ ? "" : "no connections\n";
}

}  // namespace ballast::control
