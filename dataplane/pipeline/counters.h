// What a worker counts. One writer (the worker), read by the main thread at any time, summed when
// read.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/scheduler/scheduler.h"

namespace ballast {

// An integer that one thread changes and others read: a plain add on the packet path, no lock
// prefix.
template <typename Integer>
class Counter {
 public:
  [[gnu::always_inline]] void add(Integer amount) { set(read() + amount); }
  [[gnu::always_inline]] void subtract(Integer amount) { set(read() - amount); }
  [[gnu::always_inline]] void set(Integer value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard, gnu::always_inline]] Integer read() const {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<Integer> value_{0};
};

// Of one server on one worker: one cache line.
struct alignas(64) ServerCounters {
  Counter<uint32_t> active;  // connections, in ipvsadm's sense
  Counter<uint32_t> inactive;
  Counter<uint64_t> connections;  // opened
  Counter<uint64_t> ended;        // of those; what is left is there
  Counter<uint64_t> packets_in;   // from clients
  Counter<uint64_t> bytes_in;     // of IP packets
  Counter<uint64_t> packets_out;  // from servers, in modes that see them
  Counter<uint64_t> bytes_out;

  void count_in(uint16_t ip_packet_length) {
    packets_in.add(1);
    bytes_in.add(ip_packet_length);
  }
  void count_out(uint16_t ip_packet_length) {
    packets_out.add(1);
    bytes_out.add(ip_packet_length);
  }

  // By the main thread, while no worker counts here.
  void clear() {
    active.set(0);
    inactive.set(0);
    for (Counter<uint64_t>* counter :
         {&connections, &ended, &packets_in, &bytes_in, &packets_out, &bytes_out}) {
      counter->set(0);
    }
  }
};
static_assert(sizeof(ServerCounters) == 64);

struct WorkerCounters {
  Counter<uint64_t> packets;
  Counter<uint64_t> polls;
  Counter<uint64_t> idle_polls;
  Counter<uint64_t> handed_over;            // to the owner of the flow
  Counter<uint64_t> handed_over_fragments;  // to who knows the ports
  Counter<uint64_t> expired;
  Counter<uint64_t> recycled;
  Counter<uint64_t> evicted;
  Counter<uint64_t> forwarded_without_state;  // of new flows for which the table had no room
  Counter<uint64_t> punted;
  Counter<uint64_t> from_kernel;
  Counter<uint64_t> answers;          // ARP, ND, echo, reset, unreachable
  Counter<uint64_t> answers_limited;  // resets and unreachables that the rate limit kept back
  Counter<uint64_t> trusted;          // connections at present
  Counter<uint64_t> untrusted;
  Counter<uint64_t> local_ports_taken;  // of FULLNAT at present, as of the last tick
  Counter<uint64_t> local_ports_resting;
  Counter<uint64_t> fragments_held;  // at present, for the first of their datagram
  Counter<uint64_t> waiting;  // packets at present, for a next hop's MAC; as of the last tick
  std::array<Counter<uint64_t>, kDropReasons> drops;

  void drop(DropReason reason) { drops[static_cast<size_t>(reason)].add(1); }
};

// One entry for every ServerIndex there may be. Pages are zero until touched, so that room for a
// million servers costs what is used of it.
class ServerCounterTable {
 public:
  explicit ServerCounterTable(uint32_t capacity)
      : capacity_(capacity),
        memory_(std::calloc(size_t{capacity} + 2, sizeof(ServerCounters)), &std::free),
        first_(first_line_of(memory_.get())) {}

  [[nodiscard]] uint32_t capacity() const { return capacity_; }
  ServerCounters& operator[](ServerIndex server) { return first_[index(server)]; }
  const ServerCounters& operator[](ServerIndex server) const { return first_[index(server)]; }

 private:
  // calloc aligns to 16; the entry before the first whole line is given up.
  static ServerCounters* first_line_of(void* memory) {
    const auto address = reinterpret_cast<uintptr_t>(memory);
    return reinterpret_cast<ServerCounters*>((address + 63) & ~uintptr_t{63});
  }

  uint32_t capacity_;
  std::unique_ptr<void, decltype(&std::free)> memory_;
  ServerCounters* first_;
};

}  // namespace ballast
