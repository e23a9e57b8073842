#include "dataplane/scheduler/maglev.h"

#include <bit>
#include <utility>

#include "dataplane/scheduler/maglev_hash.h"
#include "dataplane/scheduler/server_order.h"

namespace ballast {
namespace {

// SplitMix64 (Steele, Lea, Flood, 2014): the next of a sequence of independent hashes.
uint64_t next_hash(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t hash = state;
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
  return hash ^ hash >> 31;
}

// -log2(hash / 2^64) in units of 2^-32, to within 1 %: exponentially distributed, as a weighted
// rendezvous needs it. In integers, since the answer must not depend on compiler or library.
uint64_t exponential(uint64_t hash) {
  hash |= 1;
  const auto zeros = static_cast<uint64_t>(std::countl_zero(hash));
  const uint64_t fraction = hash << zeros << 1 >> 32;  // of the mantissa: f of 1 + f
  // log2(1 + f) is about f + 0.344 f (1 - f).
  const uint64_t bend = (fraction * ((uint64_t{1} << 32) - fraction) >> 32) * 344 / 1000;
  return ((zeros + 1) << 32) - fraction - bend;
}

// All in canonical order; those that may not be picked have the index kNoServer.
std::vector<SchedulableServer> configured_servers(const PoolServers& servers) {
  std::vector<SchedulableServer> all(servers.usable.begin(), servers.usable.end());
  for (SchedulableServer server : servers.resting) {
    server.server = kNoServer;
    all.push_back(server);
  }
  return in_canonical_order(all);
}

}  // namespace

void Maglev::set_servers(std::span<const SchedulableServer> servers) {
  set_pool({servers, {}}, nullptr);
}

void Maglev::set_pool(const PoolServers& servers, const Scheduler* previous) {
  table_.reset();
  servers_.clear();
  usable_.clear();
  std::vector<MaglevMember> members;
  for (const SchedulableServer& server : configured_servers(servers)) {
    const MaglevMember& member =
        members.emplace_back(MaglevMember{server.address, server.port, server.weight});
    servers_.push_back(server.server);
    if (server.server != kNoServer) {
      usable_.push_back({maglev_hash(member.address, member.port), server.weight, server.server});
    }
  }
  if (members.empty()) {
    return;
  }
  const auto* const former = dynamic_cast<const Maglev*>(previous);
  if (former != nullptr && former->table_ != nullptr && former->table_->members() == members) {
    table_ = former->table_;
  } else {
    table_ = std::make_shared<const MaglevTable>(std::move(members));
  }
}

ServerIndex Maglev::pick(const PickRequest& request) const {
  if (usable_.empty()) {
    return kNoServer;
  }
  const uint64_t hash = maglev_hash(request.flow);
  uint64_t state = hash;
  uint64_t probe = hash;
  for (uint32_t probes = 0; probes < kMostProbes; ++probes) {
    const ServerIndex server = servers_[table_->at(probe)];
    if (server != kNoServer) {
      return server;
    }
    probe = next_hash(state);
  }
  return compete(hash);
}

// Each usable server draws a time, sooner for the heavier; the soonest has the flow. Products stay
// below 2^55. Needs a usable server.
ServerIndex Maglev::compete(uint64_t flow_hash) const {
  const auto time_of = [flow_hash](const Usable& candidate) {
    uint64_t state = flow_hash ^ candidate.hash;
    return exponential(next_hash(state));
  };
  const Usable* best = &usable_.front();
  uint64_t soonest = time_of(*best);
  for (const Usable& candidate : std::span(usable_).subspan(1)) {
    const uint64_t time = time_of(candidate);
    if (time * best->weight < soonest * candidate.weight) {
      best = &candidate;
      soonest = time;
    }
  }
  return best->server;
}

}  // namespace ballast
