// Mirrors the kernel's links, addresses, routes and neighbours of the network namespace it was
// opened in.
//
// Theory of operation. One netlink socket receives what changes, another one dumps tables; both are
// read by the io_context, at most kDatagramsPerTurn datagrams (of up to 32 KiB) before other
// handlers get their turn. Events are subscribed to before the first dump, and dumps and events are
// merged by SyncedTable, so that no change is missed and none is undone by a dump that is older.
// libnl's cache manager is not used: it dumps a table in one blocking call (a full BGP table stops
// the loop for seconds), and forgets to say when the kernel dropped events.
//
// Lost events (ENOBUFS, the socket's buffer was full): all tables are dumped again; the state stays
// usable meanwhile and is equal to the kernel's again when the dumps are in. What the kernel does
// not announce is dumped again too (state_builder.h). Dumps of routes follow one another at a
// distance of at least the time that the last one took.
//
// A million routes: a dump takes seconds, in slices of some milliseconds; only its last step, which
// compares the old table with the new one, takes longer (a few hundred milliseconds). Memory: some
// 300 bytes per route, twice that during a dump.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <tl/expected.hpp>

#include "control/netlink/kernel_state.h"

namespace boost::asio {
class io_context;
}

namespace ballast::netlink {

struct MirrorOptions {
  // Of the socket that receives events. Beyond net.core.rmem_max it takes CAP_NET_ADMIN; without,
  // the limit is used.
  int receive_buffer_bytes = 32 << 20;
};

class Mirror {
 public:
  // Called from the io_context's loop, at most once per turn, when complete() has become true (with
  // `everything` set) and after each change from then on. It may destroy the mirror.
  using Callback = std::function<void(const KernelChanges&)>;

  // Must be called on the loop's thread, and the mirror used and destroyed there. `io` outlives it.
  static tl::expected<std::unique_ptr<Mirror>, std::string> open(boost::asio::io_context& io,
                                                                 Callback on_change,
                                                                 const MirrorOptions& options = {});
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  [[nodiscard]] const KernelState& state() const;
  // The first dump of every table is in. Before that, state() lacks entries.
  [[nodiscard]] bool complete() const;
  // How often the kernel had to drop events.
  [[nodiscard]] uint64_t overruns() const;
  // Why the last dump failed, as a sentence; empty when it did not. Failed dumps are repeated.
  [[nodiscard]] const std::string& trouble() const;

 private:
  class Impl;
  explicit Mirror(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;  // shared with the handlers that wait in the loop
};

}  // namespace ballast::netlink
