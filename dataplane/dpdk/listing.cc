#include "dataplane/dpdk/listing.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace ballast {
namespace {

constexpr uint32_t kDefaultPage = 1000;
constexpr uint32_t kLargestPage = 10'000;
constexpr size_t kMostListings = 64;

template <typename Value>
tl::expected<std::optional<Value>, std::string> parse_field(const std::string& text,
                                                            std::string_view field,
                                                            std::string_view wanted) {
  if (text.empty()) {
    return std::optional<Value>();
  }
  std::optional<Value> value = Value::parse(text);
  if (!value) {
    return tl::unexpected(fmt::format("{}: \"{}\" is not {}", field, text, wanted));
  }
  return value;
}

}  // namespace

tl::expected<ConnectionFilter, std::string> to_filter(const api::ListConnections& request) {
  ConnectionFilter filter;
  const auto client = parse_field<Prefix>(request.client(), "client", "an address or a prefix");
  const auto vip = parse_field<IpAddress>(request.vip(), "vip", "an address");
  const auto server = parse_field<Prefix>(request.server(), "server", "an address or a prefix");
  for (const std::string* error : {client ? nullptr : &client.error(), vip ? nullptr : &vip.error(),
                                   server ? nullptr : &server.error()}) {
    if (error != nullptr) {
      return tl::unexpected(*error);
    }
  }
  filter.client = *client;
  filter.vip = *vip;
  filter.server = *server;
  if (request.vip_port() > UINT16_MAX) {
    return tl::unexpected(
        fmt::format("vip_port: {} is out of range (0-65535)", request.vip_port()));
  }
  if (request.vip_port() != 0) {
    filter.vip_port = Big16::from_host(static_cast<uint16_t>(request.vip_port()));
  }
  if (request.protocol() != api::PROTOCOL_UNSPECIFIED) {
    filter.protocol = static_cast<IpProtocol>(request.protocol());
  }
  return filter;
}

std::optional<ListingCursor> parse_listing_cursor(const std::string& text) {
  ListingCursor cursor;
  if (text.empty()) {
    return cursor;
  }
  const char* const end = text.data() + text.size();
  const auto [colon, worker_error] = std::from_chars(text.data(), end, cursor.worker);
  if (worker_error != std::errc{} || colon == end || *colon != ':') {
    return std::nullopt;
  }
  const auto [rest, position_error] = std::from_chars(colon + 1, end, cursor.position);
  return position_error == std::errc{} && rest == end ? std::optional(cursor) : std::nullopt;
}

std::string to_string(const ListingCursor& cursor) {
  return fmt::format("{}:{}", cursor.worker, cursor.position);
}

void Dataplane::connections(const api::ListConnections& request,
                            api::AnswerOrRefuseWith<api::Connections> answer) {
  const auto filter = to_filter(request);
  if (!filter) {
    return answer(tl::unexpected(filter.error()));
  }
  const auto cursor = parse_listing_cursor(request.cursor());
  if (!cursor || cursor->worker >= workers_.size()) {
    return answer(tl::unexpected(
        fmt::format("cursor: \"{}\" was not given by this dataplane", request.cursor())));
  }
  if (listings_.size() >= kMostListings) {
    return answer(tl::unexpected(std::string("too many connection listings at once: try again")));
  }
  auto listing = std::make_unique<Listing>();
  listing->filter = *filter;
  listing->limit =
      std::clamp(request.limit() == 0 ? kDefaultPage : request.limit(), 1U, kLargestPage);
  listing->worker = cursor->worker;
  listing->cursor = cursor->position;
  listing->answer = std::move(answer);
  listings_.push_back(std::move(listing));
}

void Dataplane::step_listing() {
  if (listings_.empty()) {
    return;
  }
  Listing& listing = *listings_.front();
  JobSlot& slot = workers_[listing.worker]->jobs();
  if (!listing.job) {
    const auto found = static_cast<uint32_t>(listing.page.connections_size());
    listing.job =
        std::make_unique<ConnectionListing>(listing.filter, listing.cursor, listing.limit - found);
    slot.post(*listing.job);
    return;
  }
  if (!slot.is_free()) {
    return;
  }
  const std::unique_ptr<ConnectionListing> done = std::move(listing.job);
  for (const ConnectionListing::Row& row : done->rows()) {
    fill_connection(row, listing.worker, *listing.page.add_connections());
  }
  listing.cursor = done->cursor();
  if (listing.cursor == 0) {
    ++listing.worker;
  }
  const bool at_end = listing.worker == workers_.size();
  if (at_end || static_cast<uint32_t>(listing.page.connections_size()) >= listing.limit) {
    if (!at_end) {
      listing.page.set_next_cursor(to_string({listing.worker, listing.cursor}));
    }
    listing.answer(std::move(listing.page));
    listings_.erase(listings_.begin());
  }
}

void Dataplane::fill_connection(const ConnectionListing::Row& row, uint16_t worker,
                                api::ConnectionInfo& info) const {
  const Connection& connection = row.connection;
  info.set_protocol(static_cast<api::Protocol>(connection.key.protocol));
  info.set_client(connection.key.client.to_string());
  info.set_client_port(connection.key.client_port.to_host());
  info.set_vip(connection.key.vip.to_string());
  info.set_vip_port(connection.key.vip_port.to_host());
  info.set_state(std::string(name_of(connection.state)));
  info.set_expires_seconds(row.expires_seconds);
  info.set_trusted(connection.trusted);
  info.set_worker(worker);
  if (row.local) {
    info.set_local(row.local->address.to_string());
    info.set_local_port(row.local->port.to_host());
  }
  if (const auto server = world_->describe(connection.server)) {
    info.set_service(server->service);
    info.set_server(server->address.to_string());
    // Where the server has no port of its own, it is that of the connection.
    info.set_server_port(server->port == Big16{} ? connection.key.vip_port.to_host()
                                                 : server->port.to_host());
  }
}

}  // namespace ballast
