// The dataplane under test: the real World and the real Pipelines of several workers on plain
// memory. It carries packets from worker to worker as the program's rings do, and says what became
// of each in the order in which that was decided.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/api/lease_page.h"
#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/world/world.h"
#include "tests/model/fate.h"
#include "tests/model/model.h"
#include "tests/model/setup.h"

namespace ballast::model {

struct Arrival {
  uint64_t id = 0;
  Bytes frame;
  PortIndex port{};
  bool hashed = false;             // the NIC has hashed it
  std::optional<uint16_t> worker;  // else: where the NIC's hash sends it
};

struct Decided {
  uint64_t id = 0;
  Fate fate;
  uint16_t worker = 0;
};

class DataplaneRun : public ServerLoads {
 public:
  DataplaneRun(const Setup& setup, uint16_t workers, uint64_t seed);
  ~DataplaneRun() override;
  DataplaneRun(const DataplaneRun&) = delete;
  DataplaneRun& operator=(const DataplaneRun&) = delete;

  // Empty, or why the transaction was refused.
  std::string configure(const Setup& setup);
  void set_lease(size_t slot, bool forwards, bool answers);

  // All by one worker in one burst, then whatever was handed over, until all is decided.
  std::vector<Decided> process(const std::vector<Arrival>& burst, uint64_t now_ns);
  // Of every worker; what was held and is decided now.
  std::vector<Decided> tick(uint64_t now_ns);
  // What the connection table says of a flow; nothing when it has no entry.
  [[nodiscard]] std::optional<Choice> chosen(const Flow& flow) const;
  // Whether a server of NAT has this address, or had it and is not yet forgotten.
  // Whether flows of some listener may be with the worker that owned them before.
  [[nodiscard]] bool has_former_owners() const {
    return workers_.size() > 1 && !world_.snapshot()->steered_anew->all().empty();
  }
  [[nodiscard]] bool is_nat_server(const IpAddress& address) const;
  // Empty, or what does not add up: packets lost, counters that say something else.
  [[nodiscard]] std::string wrong_accounts() const;

  [[nodiscard]] uint32_t active_connections(ServerIndex server) const override;
  [[nodiscard]] uint32_t inactive_connections(ServerIndex server) const override;

 private:
  struct Buffer {
    uint64_t id = 0;
    std::vector<uint8_t> bytes;
  };
  static constexpr uint32_t kNeighbors = 1000;
  struct Worker {
    explicit Worker(const FlowHashKey& hash_key);
    WorkerCounters counters;
    ServerCounterTable servers;
    NeighborRequests requests;
    std::unique_ptr<Pipeline> pipeline;
    std::vector<Packet> ring;  // handed over to it
  };

  Packet packet_of(const Arrival& arrival);
  [[nodiscard]] uint32_t hash_of_nic(const Bytes& frame, bool& hashed) const;
  void run(uint16_t worker, std::vector<Packet> burst, uint64_t now_ns,
           std::vector<Decided>& decided);
  void pass_on(const Packet& packet);
  void empty_rings(uint64_t now_ns, std::vector<Decided>& decided);
  Decided look_at(const Packet& packet, uint16_t worker);
  void reclaim();

  NeighborTable neighbors_{kNeighbors};
  World world_;
  Steering steering_;
  LeasePage leases_{};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::list<Buffer> buffers_;
  std::vector<uint64_t> drops_;
  uint64_t lost_ = 0;
};

}  // namespace ballast::model
