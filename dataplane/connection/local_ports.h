// FULLNAT's local ports: which address and port stands in the client's place towards a server.
// One worker's; single-threaded.
//
// Theory of operation
//   A local port may serve many connections, as long as each goes to another server endpoint
//   (address, port, protocol): what is unique is the tuple (local address, local port, endpoint).
//   So ports are kept by *lane*: one local address towards one endpoint, whatever services they
//   belong to. A lane is made when it is first needed, and forgotten when nothing of it is taken
//   and nothing rests.
//
//   A port that was given back rests before it is taken again: as long as servers stay in
//   TIME_WAIT, or shortly where it is known that they do not (PortRest). A lane takes
//     1. a port that it has not had before, going up from a random one, so that the ports of a
//        process that was started again, or of the other node, are not at once those of before;
//     2. the port that was given back longest ago, of those that have rested.
//   When more than half of the memory is in use, 2 goes before 1: memory then follows what is
//   taken and resting, not what was ever taken.
//
//   Which of a service's addresses is asked first is drawn by lot for each port, so that they fill
//   up alike, and the first one asked nearly always has a port: each step takes constant time,
//   up to where the addresses are full. What is exhausted towards a server stays so for the rest of
//   the second, and is not searched again before (a flood against a service without ports costs
//   little).
//
//   Ports belong to workers: `is_owned` is asked once for each port of a lane when its turn comes
//   the first time. At most kMaxWalk ports are asked about for one that is taken.
//
// Memory
//   Taken once, at construction, and touched as it is used. For each port that is taken or resting
//   12 bytes, for each lane 64 bytes and 10 to 20 of buckets. A port that has rested keeps its 12
//   bytes, as its place in the order is remembered; when three quarters of them are in use, tidy()
//   turns such ports of large lanes into one bit each (8 KB a lane: PortSet; 4 bytes for each of
//   `tuples` in sum), and their order is lost. Lanes that keep fewer than kHoard ports keep them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include <tl/expected.hpp>

#include "dataplane/connection/bucket_index.h"
#include "dataplane/connection/connection.h"
#include "dataplane/connection/port_set.h"
#include "dataplane/connection/return_key.h"
#include "dataplane/connection/table_memory.h"
#include "dataplane/connection/translation.h"
#include "dataplane/packet/flow_key.h"

namespace ballast {

struct LocalPortSettings {
  uint16_t first_port = 1024;  // at least 1
  uint16_t last_port = 65535;
  // More seconds than these, by a clock of whole seconds, pass before a port is taken again. Linux
  // stays in TIME_WAIT for 60 s (TCP_TIMEWAIT_LEN) and until its timer wheel comes round: up to
  // 61.5 s were measured, and the wheel's steps are 4 s there.
  uint32_t time_wait = 65;
  uint32_t short_rest = 1;
  uint32_t tuples = 4'000'000;  // that can be taken or resting at a time
  uint32_t lanes = 16'384;      // pairs of local address and server endpoint in use at a time
};

enum class NoLocalPort : uint8_t {
  kExhausted,  // every port of every address is taken or resting
  kNoMemory,   // `tuples` or `lanes` are used up
};

struct LocalPortCounts {
  uint64_t taken = 0;
  uint64_t exhausted = 0;     // refused with kExhausted
  uint64_t no_memory = 0;     // refused with kNoMemory
  uint64_t lanes_asked = 0;   // for all of these together
  uint64_t ports_walked = 0;  // calls of is_owned
};

class LocalPorts {
 public:
  // Whether replies from `server` to this local endpoint come to this worker. Always the same
  // answer for the same arguments.
  using IsOwned = std::function<bool(LocalAddressIndex, Big16 port, const ServerEndpoint& server)>;

  static constexpr uint32_t kMaxWalk = 4096;
  static constexpr uint32_t kHoard = 2048;

  // `seed`: drawn anew in every process.
  LocalPorts(const LocalPortSettings& settings, const FlowHashKey& hash_key, uint64_t seed,
             IsOwned is_owned, TableMemory& memory = process_memory());
  LocalPorts(const LocalPorts&) = delete;
  LocalPorts& operator=(const LocalPorts&) = delete;

  // A port of one of the addresses, for one connection to `server`. `now` never runs backwards.
  [[nodiscard]] tl::expected<LocalEndpoint, NoLocalPort> take(
      std::span<const LocalAddressIndex> addresses, const ServerEndpoint& server, Seconds32 now);
  // Ends that: `local` as it was taken, once.
  void give_back(const LocalEndpoint& local, PortRest rest, Seconds32 now);

  // Housekeeping, to be called at least every few milliseconds: looks at up to `budget` lanes.
  void tidy(Seconds32 now, uint32_t budget = 16);

  // --- reading
  [[nodiscard]] uint32_t taken() const { return taken_; }
  [[nodiscard]] uint32_t resting() const { return resting_; }  // ports in order, rested or not
  [[nodiscard]] uint32_t lanes() const { return lanes_in_use_; }
  // Whether a port of this address is taken or remembered; false after tidy() has come round when
  // it has been out of use for `time_wait`.
  [[nodiscard]] bool uses(LocalAddressIndex address) const {
    return lanes_of_address_[static_cast<uint16_t>(address)] != 0;
  }
  [[nodiscard]] const LocalPortSettings& settings() const { return settings_; }
  [[nodiscard]] const LocalPortCounts& counts() const { return counts_; }
  [[nodiscard]] size_t memory_bytes() const { return memory_bytes_; }

 private:
  // Positions in their arrays; 0 is none.
  using LaneNumber = uint32_t;
  using NodeNumber = uint32_t;

  struct Node {  // of a port that rests
    NodeNumber next;
    Seconds32 since;
    uint16_t port;
    uint16_t unused;
  };
  static_assert(sizeof(Node) == 12);

  struct Queue {  // in the order in which ports were given back
    NodeNumber first;
    NodeNumber last;
  };

  struct alignas(64) Lane {
    ServerEndpoint server;
    bool in_use;
    LocalAddressIndex address;
    uint16_t fresh_next;  // the port that has its turn among those that were never asked about
    uint16_t set;         // number of the PortSet with ports that have rested; 0: none
    uint32_t fresh_left;
    uint32_t taken;
    uint32_t resting;
    Queue queues[2];  // by PortRest
    LaneNumber next_free;
  };
  static_assert(sizeof(Lane) == 64);

  struct Exhausted {
    uint64_t request;
    Seconds32 at;
  };

  // --- lanes (local_port_lanes.cc)
  [[nodiscard]] uint64_t hash_of(LocalAddressIndex address, const ServerEndpoint& server) const;
  LaneNumber lane_of(LocalAddressIndex address, const ServerEndpoint& server);
  LaneNumber open_lane(uint64_t hash, LocalAddressIndex address, const ServerEndpoint& server);
  void forget_lane(LaneNumber number);
  [[nodiscard]] bool is_idle(const Lane& lane, Seconds32 now) const;
  void shrink(Lane& lane, Seconds32 now);
  bool give_set(Lane& lane);

  // --- ports of a lane: 0 when there is none
  uint16_t take_from(Lane& lane, Seconds32 now);
  uint16_t take_unordered(Lane& lane);
  uint16_t walk(Lane& lane);
  [[nodiscard]] bool has_rested(NodeNumber node, PortRest rest, Seconds32 now) const;
  [[nodiscard]] Queue* longest_rested(Lane& lane, Seconds32 now);
  uint16_t pop(Lane& lane, Queue& queue);

  // --- what is exhausted in this second
  [[nodiscard]] uint64_t request_of(std::span<const LocalAddressIndex> addresses,
                                    const ServerEndpoint& server) const;
  [[nodiscard]] bool is_known_exhausted(std::span<const LocalAddressIndex> addresses,
                                        const ServerEndpoint& server, Seconds32 now) const;
  void note_exhausted(std::span<const LocalAddressIndex> addresses, const ServerEndpoint& server,
                      Seconds32 now);

  // Each port that is taken has a node to rest in kept for it, so that giving back never fails.
  [[nodiscard]] uint32_t free_nodes() const { return settings_.tuples - taken_ - resting_; }
  uint32_t random_below(uint32_t bound);

  const LocalPortSettings settings_;
  const FlowHashKey hash_key_;
  const IsOwned is_owned_;
  const uint32_t bucket_count_;
  const uint32_t set_count_;
  size_t memory_bytes_ = 0;
  TableBlock<Bucket> buckets_;
  TableBlock<Lane> lane_block_;     // lane 0 is never used
  TableBlock<Node> nodes_;          // node 0 is never used
  TableBlock<PortSet> sets_;        // set 0 is never used
  TableBlock<uint16_t> free_sets_;  // a stack of those used before
  TableBlock<uint32_t> lanes_of_address_;
  BucketIndex index_;

  NodeNumber free_node_ = 0;  // nodes used before, last in first out
  NodeNumber node_high_water_ = 0;
  LaneNumber free_lane_ = 0;
  LaneNumber lane_high_water_ = 0;
  LaneNumber tidy_next_ = 1;
  uint32_t free_set_count_ = 0;
  uint32_t set_high_water_ = 0;
  uint32_t taken_ = 0;
  uint32_t resting_ = 0;
  uint32_t lanes_in_use_ = 0;
  uint64_t random_;
  bool lacked_memory_ = false;  // in the take() under way
  Seconds32 exhausted_at_ = 0;  // the last second in which anything was
  std::array<Exhausted, 64> exhausted_{};
  LocalPortCounts counts_;
};

}  // namespace ballast
