// Bytes as a client could send them: frames, messages, transactions into a world.
//
// The first byte chooses: even, all that follows is a stream of frames as it comes from the socket;
// odd, it is one Transaction without framing, which lets the fuzzer reach the world sooner. Every
// generation is replaced by the next one but every eighth, so that accepted transactions follow
// each other.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <google/protobuf/stubs/logging.h>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/api/framing.h"
#include "dataplane/world/world.h"

namespace {

using ballast::ForwardingMode;
using ballast::MacAddress;
using ballast::NeighborTable;
using ballast::World;
using ballast::WorldLimits;
namespace api = ballast::api;

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

// Every subscript and pointer of the snapshot leads to something in it.
void check_whole(const World& world, const NeighborTable& neighbors) {
  const ballast::ForwardingSnapshot& snapshot = *world.snapshot();
  for (const auto& entry : snapshot.listeners->all()) {
    require(entry.service < snapshot.services.size());
    require(snapshot.services[entry.service] != nullptr);
  }
  for (const ballast::ServerIndex server : world.servers()) {
    const ballast::RealServer& real = snapshot.servers.at(index(server));
    require(real.service != nullptr && real.service->name == world.describe(server)->service);
    require(index(real.next_hop) <= neighbors.capacity());
  }
}

class Target {
 public:
  void apply(api::Transaction transaction) {
    if (++count_ % 8 != 0) {
      transaction.set_generation(world_.generation() + 1);
    }
    const std::string before = world_.state().SerializeAsString();
    const auto snapshot = world_.snapshot();
    const World::Outcome outcome = world_.apply(transaction);
    require((outcome.snapshot == nullptr) != outcome.refusals.empty());
    if (outcome.snapshot == nullptr) {
      require(world_.state().SerializeAsString() == before && world_.snapshot() == snapshot);
      return;
    }
    check_whole(world_, neighbors_);
    check_read_back();
    if (count_ % 3 == 0) {
      world_.reclaim([this](ballast::ServerIndex server) { return (index(server) + count_) % 2; });
    }
  }

 private:
  // What is read back is accepted, and changes nothing.
  void check_read_back() {
    api::Transaction again;
    again.set_full(true);
    again.set_generation(world_.generation());
    *again.mutable_upsert() = world_.state().resources();
    NeighborTable neighbors(kNeighbors);
    World copy = make(neighbors);
    if (copy.apply(again).snapshot != nullptr) {
      require(copy.state().SerializeAsString() == world_.state().SerializeAsString());
    } else {
      require(world_.generation() == 0);
    }
  }

  static constexpr uint32_t kNeighbors = 64;
  static World make(NeighborTable& neighbors) {
    WorldLimits limits;
    limits.max_services = 16;
    limits.max_servers = 64;
    return World({{"a", MacAddress({2, 0, 0, 0, 0, 1}), 1500, true},
                  {"b", MacAddress({2, 0, 0, 0, 0, 2}), 1500, true}},
                 neighbors, {ForwardingMode::kDirectRouting}, limits);
  }

  NeighborTable neighbors_{kNeighbors};
  World world_ = make(neighbors_);
  uint32_t count_ = 0;
};

void run_stream(std::string_view bytes) {
  Target target;
  api::FrameDecoder decoder;
  while (!bytes.empty()) {
    const size_t step = std::min<size_t>(bytes.size(), 37);
    decoder.feed(bytes.substr(0, step));
    bytes.remove_prefix(step);
    while (true) {
      const auto payload = decoder.next();
      if (!payload) {
        return;
      }
      if (!payload->has_value()) {
        break;
      }
      api::ClientFrame frame;
      if (!api::parse_message(**payload, frame)) {
        return;
      }
      if (frame.has_transaction()) {
        target.apply(frame.transaction());
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);  // it reports every bad string on stderr
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    run_stream(bytes);
    return 0;
  }
  api::Transaction transaction;
  if (api::parse_message(bytes, transaction)) {
    Target target;
    target.apply(transaction);
    transaction.set_full(!transaction.full());
    target.apply(transaction);
  }
  return 0;
}
