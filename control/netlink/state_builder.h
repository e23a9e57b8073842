// Builds the KernelState from messages: events as they come, and dumps. Pure: no sockets, no time.
//
// What the kernel does not announce, and what is done about it:
// - IPv4 routes vanish silently with their link or its admin state, with their source address
// (before Linux 6.7), and with
//   their nexthop object: each of these asks for a fresh dump of the routes (take_needed_dumps).
// - A deletion of an IPv6 multipath route names the hops that go; those not named stay.
// - IPv4 routes with one key are a list; a deletion that fits none of them asks for a fresh dump.
#pragma once

#include <set>
#include <string>

#include "control/netlink/kernel_state.h"
#include "control/netlink/message.h"
#include "control/netlink/synced_table.h"

namespace ballast::netlink {

enum class KernelTable : uint8_t { kLinks, kAddresses, kNeighbors, kRoutes };

class StateBuilder {
 public:
  StateBuilder() = default;
  StateBuilder(const StateBuilder&) = delete;
  StateBuilder& operator=(const StateBuilder&) = delete;

  void event(const KernelMessage& message);

  // One dump at a time. Messages of other tables are ignored by dumped().
  void begin_dump(KernelTable table);
  void dumped(const KernelMessage& message);
  // `interrupted`: the kernel said that the table changed meanwhile (NLM_F_DUMP_INTR), so entries
  // may be missing.
  void end_dump(bool interrupted);
  void abandon_dump();

  [[nodiscard]] const KernelState& state() const { return state_; }

  // What changed since it was last taken.
  KernelChanges take_changes();
  [[nodiscard]] bool has_changes() const { return !changes_.empty(); }
  // Tables that events cannot keep right and that must be dumped again.
  std::set<KernelTable> take_needed_dumps();

 private:
  void on_link(const Link& link, bool removed);
  void forget_link(int index);
  void on_address(const AddressMessage& message, bool removed);
  void on_neighbor(const NeighborMessage& message, bool removed);
  void on_route(const RouteMessage& message, const KernelMessage& how);
  void remove_route(const RouteMessage& message);
  void note_link_change(const Link* before, const Link* after);

  KernelState state_;
  SyncedTable<int, Link> links_{state_.links};
  SyncedTable<AddressKey, KernelAddress> addresses_{state_.addresses};
  SyncedTable<NeighborKey, KernelNeighbor> neighbors_{state_.neighbors};
  SyncedTable<RouteKey, std::vector<KernelRoute>> routes_{state_.routes};
  KernelChanges changes_;
  std::set<KernelTable> needed_dumps_;
};

}  // namespace ballast::netlink
