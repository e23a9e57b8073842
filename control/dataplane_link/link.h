// ballastd's side of the contract: keeps the dataplane equal to what it should know.
//
// Theory of operation
//   What the dataplane should know is a map of resources. update() changes it; what has changed
//   leaves in one transaction at the end of the loop's turn, one transaction under way at a time,
//   so that a burst of changes costs few. propose() is for a change that may be refused (a reload):
//   it is a transaction of its own, and undone here when the dataplane refuses it.
//
//   After every (re)connection the first transaction is a full one. Before the very first one the
//   state that the dataplane has is given to on_state, and start() is awaited: only the caller
//   knows when it can say what the world is. While there is no dataplane, changes are noted and the
//   connection is tried again, ten times a second.
//
//   A refused transaction changes nothing, so that one resource that the dataplane cannot take
//   would keep back all others. What follows the kernel (ports, routes, neighbours) and is named in
//   a refusal is therefore left out, until it changes or the next retry; what is configured stands
//   together, and waits for the retry, a change, or a proposal, which then carries all that waits.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/dataplane_link/resources.h"
#include "dataplane/api/client.h"
#include "dataplane/api/dataplane.pb.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

class DataplaneLink {
 public:
  struct Verdict {
    bool connected = false;  // false: noted, the dataplane gets it when it is there
    uint64_t generation = 0;
    std::vector<std::string> refusals;  // `service "web": ...`; none: accepted
    std::vector<std::string> refused;   // `service "web"`: what each refusal is about
    std::vector<uint32_t> stalled_workers;
  };
  struct Callbacks {
    // A dataplane is there: what it is, and what it knows. Called for each connection, before
    // anything is said.
    std::function<void(const ballast::api::HelloAnswer&, const ballast::api::State&)> on_state;
    std::function<void(const std::string& reason)> on_disconnect;
    std::function<void(const ballast::api::NeighborNeeded&)> on_neighbor_needed;
    std::function<void(const ballast::api::PortInfo&)> on_port_changed;
    // Any transaction was answered, a proposal too.
    std::function<void(const Verdict&)> on_transaction = [](const Verdict&) {};
    // Another ballastd is the writer now; nothing that is said here has an effect any more.
    std::function<void(const std::string& by)> on_fenced;
  };

  using OnVerdict = std::function<void(const Verdict&)>;

  DataplaneLink(boost::asio::io_context& loop, std::string socket, Callbacks callbacks);
  ~DataplaneLink();
  DataplaneLink(const DataplaneLink&) = delete;
  DataplaneLink& operator=(const DataplaneLink&) = delete;

  // From now on the full state may be said.
  void start();

  // `resource` shall be known, or no resource of this key.
  void update(const ballast::api::Resource& resource);
  void remove(const std::string& key);

  // These shall be known, these not; on_verdict is called once, from the loop. Nothing has changed
  // when it is refused.
  void propose(const Resources& wanted, const std::vector<std::string>& unwanted,
               OnVerdict on_verdict);

  // Calls back once, from the loop: true when every worker of the dataplane runs on what is wanted
  // of this resource; false when the dataplane refuses, is not there, or `limit` is over.
  using OnConfirmed = std::function<void(bool confirmed)>;
  void when_confirmed(const std::string& key, std::chrono::milliseconds limit,
                      OnConfirmed on_confirmed);

  // Any other request; an error at once or later when there is no dataplane.
  using OnAnswer = ballast::api::ContractClient::OnAnswer;
  void request(const ballast::api::ClientFrame& frame, OnAnswer on_answer);

  [[nodiscard]] const Resources& wanted() const { return wanted_; }
  [[nodiscard]] bool connected() const { return client_.connected(); }
  // All that is wanted has been accepted.
  [[nodiscard]] bool in_sync() const;
  // All that is configured has been accepted, whatever becomes of what follows the kernel.
  [[nodiscard]] bool runs_on_configuration() const;
  [[nodiscard]] uint64_t generation() const { return generation_; }
  // Of the last connection; nothing before the first.
  [[nodiscard]] const std::optional<ballast::api::HelloAnswer>& hello() const { return hello_; }
  // Why there is no connection, or what the dataplane refused last; empty when all is well.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] std::chrono::steady_clock::time_point changed_at() const { return changed_at_; }
  [[nodiscard]] const std::string& socket() const { return socket_; }

 private:
  // For the answer to any request.
  static constexpr std::chrono::seconds kRequestDeadline{10};

  struct Proposal {
    Resources wanted;
    std::vector<std::string> unwanted;
    OnVerdict on_verdict;
  };
  struct Timers;
  struct Waiter;

  void connect();
  void reconnect_soon();
  void on_hello(const tl::expected<ballast::api::HelloAnswer, std::string>& hello);
  void on_state(const tl::expected<ballast::api::ServerFrame, std::string>& answer);
  void on_disconnect(const std::string& reason);
  void on_event(const ballast::api::ServerFrame& event);
  void schedule_flush();
  void flush();
  void send_full();
  void send_changes();
  void send_proposal();
  void send(ballast::api::Transaction transaction, const OnVerdict& on_verdict);
  void leave_out_what_is_refused(const Verdict& verdict);
  void note_trouble(std::string trouble);
  static void apply(const Proposal& proposal, Resources& resources);
  void retry_later();
  [[nodiscard]] bool is_confirmed(const std::string& key) const;
  void answer_waiters(const std::vector<uint32_t>& stalled_workers);

  std::string socket_;
  Callbacks callbacks_;
  std::shared_ptr<Timers> timers_;  // those that wait know by it whether the link still lives
  ballast::api::ContractClient client_;

  Resources wanted_;
  Resources said_;                   // that the dataplane has accepted
  std::set<std::string> changed_;    // keys in which wanted_ and said_ may differ
  std::set<std::string> left_out_;   // keys that were refused, until they change or the retry
  std::vector<Proposal> proposals_;  // first come, first served
  std::vector<std::shared_ptr<Waiter>> waiters_;
  std::optional<ballast::api::HelloAnswer> hello_;
  bool started_ = false;
  bool state_known_ = false;  // of this connection
  bool full_needed_ = true;
  bool under_way_ = false;  // a transaction
  bool refused_ = false;    // the last one; waits for a change or for the retry
  uint64_t generation_ = 0;
  std::string trouble_;
  std::chrono::steady_clock::time_point changed_at_;
};

}  // namespace ballast::control
