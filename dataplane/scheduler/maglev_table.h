// The table of a consistent hash, after "Maglev: A Fast and Reliable Software Network Load
// Balancer" (NSDI 2016, section 3.4): a function from a set of servers to slots.
//
// Theory of operation
//   Every server has a preference list of all slots, made from a hash of its address and port: an
//   offset and a step through the table. The table has a power of two of slots and every step is
//   odd, so each list names every slot once, and wrapping around is a mask. In each round every
//   server takes the first slot of its list that is still free, until none is.
//
//   Weights are a credit: a server gains its weight with every round and has a turn for each time
//   that its credit holds the greatest weight. Within a round, whoever has waited longest goes
//   first. Waiting servers lie in a calendar by the round of their next turn, so that a build costs
//   as much as it has turns, whatever the weights: with the plain loop, one server of weight 65535
//   beside thousands of weight 1 would take many seconds. A server that is owed less than two slots
//   in all begins with credit for one: no server is without a slot for its weight.
//
//   What comes out depends on addresses, ports and weights alone: not on the order of the servers,
//   not on their health, not on anything that was before. Two nodes with the same servers have the
//   same table. Only the current position of each list is kept while building.
//
// Size: 65536 slots, of 4 bytes; for more than 655 servers as many as give each 100 or more, up to
// 2^20. A pool that grows past such a step (656, 1311, 2622, 5243 servers) has a table of another
// size, in which nearly every slot has another server: connections that are known stay where they
// are, those that only the hash would find do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"

namespace ballast {

// A server as the table knows it: nothing here changes with its health.
struct MaglevMember {
  IpAddress address;
  Big16 port;
  uint32_t weight = 1;  // 1..65535

  friend bool operator==(const MaglevMember&, const MaglevMember&) = default;
};

class MaglevTable {
 public:
  static constexpr size_t kUsualSlots = 65536;
  static constexpr size_t kMostSlots = size_t{1} << 20;  // more only for more servers than that
  static constexpr size_t kSlotsPerServer = 100;

  // One or more members, sorted by address and port.
  explicit MaglevTable(std::vector<MaglevMember> members);

  [[nodiscard]] const std::vector<MaglevMember>& members() const { return members_; }
  // The subscript in members() of the one in each slot.
  [[nodiscard]] std::span<const uint32_t> slots() const { return slots_; }
  // The subscript of the one whose slot a flow of this hash falls into.
  [[nodiscard]] uint32_t at(uint64_t hash) const { return slots_[hash & mask_]; }

 private:
  std::vector<MaglevMember> members_;
  std::vector<uint32_t> slots_;
  uint64_t mask_;
};

}  // namespace ballast
