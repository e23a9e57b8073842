// One page of a worker's connections, collected between its bursts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/dpdk/worker_job.h"
#include "dataplane/packet/address.h"

namespace ballast {

struct ConnectionFilter {
  std::optional<Prefix> client;
  std::optional<IpAddress> vip;
  std::optional<Big16> vip_port;
  std::optional<Prefix> server;
  std::optional<IpProtocol> protocol;
};

// What stands in the client's place towards the server.
struct LocalEnd {
  IpAddress address;
  Big16 port;

  friend bool operator==(const LocalEnd&, const LocalEnd&) = default;
};

// Of a connection of this table; nothing but in FULLNAT. `local_addresses` are the snapshot's.
std::optional<LocalEnd> local_end_of(const Connection& connection, const ConnectionTable& table,
                                     std::span<const IpAddress> local_addresses);

class ConnectionListing : public WorkerJob {
 public:
  struct Row {
    Connection connection;
    uint32_t expires_seconds = 0;
    std::optional<LocalEnd> local = std::nullopt;
  };

  // From `cursor` (0: the beginning) until `limit` rows are found or the table ends.
  ConnectionListing(const ConnectionFilter& filter, ConnectionIndex cursor, uint32_t limit)
      : filter_(filter), cursor_(cursor), limit_(limit) {
    rows_.reserve(limit + kSlice);
  }

  bool step(const Pipeline& pipeline, const ForwardingSnapshot& snapshot, Seconds32 now) override;

  // When the job is done: what was found, and where the next page begins; 0 when this was the last.
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] ConnectionIndex cursor() const { return cursor_; }

 private:
  static constexpr uint32_t kSlice = 256;  // positions looked at between two bursts

  [[nodiscard]] bool matches(const Connection& connection,
                             const ForwardingSnapshot& snapshot) const;

  ConnectionFilter filter_;
  ConnectionIndex cursor_;
  uint32_t limit_;
  std::vector<Row> rows_;
};

}  // namespace ballast
