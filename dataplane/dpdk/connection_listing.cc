#include "dataplane/dpdk/connection_listing.h"

#include <algorithm>

namespace ballast {

std::optional<LocalEnd> local_end_of(const Connection& connection, const ConnectionTable& table,
                                     std::span<const IpAddress> local_addresses) {
  if (!connection.translated || table.translations() == nullptr) {
    return std::nullopt;
  }
  const LocalEndpoint& local = table.translations()->of(connection).local;
  if (local.lane == kNoLane) {
    return std::nullopt;
  }
  return LocalEnd{local_addresses[index(local.address)], local.port};
}

bool ConnectionListing::step(const Pipeline& pipeline, const ForwardingSnapshot& snapshot,
                             Seconds32 now) {
  const ConnectionTable& table = pipeline.connections();
  // Never looks at more positions than there is room for rows: a page may end up to a slice late,
  // never overflows.
  cursor_ = table.visit(cursor_, kSlice, [&](const Connection& connection) {
    if (matches(connection, snapshot)) {
      rows_.push_back({connection, table.expires_in(connection, now),
                       local_end_of(connection, table, *snapshot.local_addresses)});
    }
  });
  return cursor_ == 0 || rows_.size() >= limit_;
}

bool ConnectionListing::matches(const Connection& connection,
                                const ForwardingSnapshot& snapshot) const {
  const FlowKey& key = connection.key;
  return (!filter_.client || filter_.client->contains(key.client)) &&
         (!filter_.vip || *filter_.vip == key.vip) &&
         (!filter_.vip_port || *filter_.vip_port == key.vip_port) &&
         (!filter_.protocol || *filter_.protocol == key.protocol) &&
         (!filter_.server ||
          filter_.server->contains(snapshot.servers[index(connection.server)].address));
}

}  // namespace ballast
