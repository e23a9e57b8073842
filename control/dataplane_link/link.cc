#include "control/dataplane_link/link.h"

#include <algorithm>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace ballast::control {
namespace {

using namespace std::chrono_literals;
using ballast::api::ClientFrame;
using ballast::api::ServerFrame;
using ballast::api::Transaction;

constexpr auto kReconnect = 100ms;
constexpr auto kRetryRefused = 5s;
constexpr auto kDeadline = 10s;

std::vector<std::string> sentences(const ballast::api::TransactionAnswer& answer) {
  std::vector<std::string> lines;
  for (const ballast::api::Refusal& refusal : answer.refusals()) {
    lines.push_back(fmt::format("{}: {}", refusal.what(), refusal.why()));
  }
  if (lines.empty() && !answer.accepted()) {
    lines.emplace_back("the dataplane refused the transaction without saying why");
  }
  return lines;
}

std::vector<std::string> names(const ballast::api::TransactionAnswer& answer) {
  std::vector<std::string> names;
  for (const ballast::api::Refusal& refusal : answer.refusals()) {
    names.push_back(refusal.what());
  }
  return names;
}

// Maps within a message may be written in any order: a difference that is none costs a needless
// upsert, no more.
bool is_same(const ballast::api::Resource& a, const ballast::api::Resource& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

bool follows_the_kernel(const ballast::api::Resource& resource) {
  return resource.has_port() || resource.has_route() || resource.has_neighbor();
}

}  // namespace

struct DataplaneLink::Timers {
  explicit Timers(boost::asio::io_context& context) : loop(context) {}
  boost::asio::io_context& loop;
  boost::asio::steady_timer reconnect{loop};
  boost::asio::steady_timer retry{loop};
  boost::asio::steady_timer flush{loop};
  bool flush_pending = false;
};

DataplaneLink::DataplaneLink(boost::asio::io_context& loop, std::string socket, Callbacks callbacks)
    : socket_(std::move(socket)),
      callbacks_(std::move(callbacks)),
      timers_(std::make_shared<Timers>(loop)),
      client_(loop,
              {.on_event = [this](const ServerFrame& event) { on_event(event); },
               .on_disconnect = [this](const std::string& reason) { on_disconnect(reason); }}),
      changed_at_(std::chrono::steady_clock::now()) {
  connect();
}

DataplaneLink::~DataplaneLink() = default;

void DataplaneLink::connect() {
  ballast::api::Hello hello;
  hello.set_writer(true);
  hello.set_client(fmt::format("ballastd {} pid {}", BALLAST_VERSION, getpid()));
  client_.connect(socket_, hello, kDeadline, [this](const auto& answer) { on_hello(answer); });
}

void DataplaneLink::reconnect_soon() {
  timers_->reconnect.expires_after(kReconnect);
  timers_->reconnect.async_wait(
      [this, alive = std::weak_ptr(timers_)](const boost::system::error_code& error) {
        if (!error && !alive.expired()) {
          connect();
        }
      });
}

void DataplaneLink::on_hello(const tl::expected<ballast::api::HelloAnswer, std::string>& hello) {
  if (!hello) {
    note_trouble(hello.error());
    return reconnect_soon();
  }
  hello_ = *hello;
  generation_ = hello->generation();
  changed_at_ = std::chrono::steady_clock::now();
  spdlog::info("dataplane: connected: {} instance {} generation {}", hello->dataplane(),
               hello->instance_id(), hello->generation());
  ClientFrame frame;
  frame.mutable_get_state();
  client_.request(frame, kDeadline, [this](const auto& answer) { on_state(answer); });
}

void DataplaneLink::on_state(const tl::expected<ServerFrame, std::string>& answer) {
  if (!answer) {
    if (client_.connected()) {
      client_.disconnect(answer.error());
      on_disconnect(answer.error());
    }
    return;
  }
  generation_ = std::max(generation_, answer->state().generation());
  state_known_ = true;
  full_needed_ = true;
  refused_ = false;
  left_out_.clear();
  trouble_.clear();
  callbacks_.on_state(*hello_, answer->state());
  schedule_flush();
}

void DataplaneLink::on_disconnect(const std::string& reason) {
  state_known_ = false;
  full_needed_ = true;
  under_way_ = false;
  changed_at_ = std::chrono::steady_clock::now();
  note_trouble(reason);
  callbacks_.on_disconnect(reason);
  // What was proposed takes effect with the full state of the next connection.
  for (Proposal& proposal : std::exchange(proposals_, {})) {
    apply(proposal, wanted_);
    proposal.on_verdict({});
  }
  reconnect_soon();
}

void DataplaneLink::on_event(const ServerFrame& event) {
  switch (event.body_case()) {
    case ServerFrame::kNeighborNeeded:
      return callbacks_.on_neighbor_needed(event.neighbor_needed());
    case ServerFrame::kPortChanged:
      return callbacks_.on_port_changed(event.port_changed().port());
    case ServerFrame::kFenced:
      return callbacks_.on_fenced(event.fenced().by());
    default:
      return;
  }
}

void DataplaneLink::start() {
  started_ = true;
  schedule_flush();
}

void DataplaneLink::update(const ballast::api::Resource& resource) {
  const std::string key = key_of(resource);
  wanted_[key] = resource;
  changed_.insert(key);
  left_out_.erase(key);
  refused_ = false;
  schedule_flush();
}

void DataplaneLink::remove(const std::string& key) {
  if (wanted_.erase(key) != 0) {
    changed_.insert(key);
    left_out_.erase(key);
    refused_ = false;
    schedule_flush();
  }
}

void DataplaneLink::propose(const Resources& wanted, const std::vector<std::string>& unwanted,
                            OnVerdict on_verdict) {
  proposals_.push_back({wanted, unwanted, std::move(on_verdict)});
  if (!connected() || !state_known_ || !started_) {
    // Nobody can refuse it: it becomes part of the full state.
    Proposal proposal = std::move(proposals_.back());
    proposals_.pop_back();
    apply(proposal, wanted_);
    boost::asio::post(timers_->loop, [done = std::move(proposal.on_verdict)] { done({}); });
  }
  schedule_flush();
}

void DataplaneLink::request(const ClientFrame& frame, OnAnswer on_answer) {
  client_.request(frame, kDeadline, std::move(on_answer));
}

bool DataplaneLink::in_sync() const {
  return connected() && !full_needed_ && changed_.empty() && left_out_.empty() &&
         proposals_.empty() && !under_way_;
}

// At the end of this turn of the loop, so that changes that come together leave together.
void DataplaneLink::schedule_flush() {
  if (std::exchange(timers_->flush_pending, true)) {
    return;
  }
  timers_->flush.expires_after(0ms);
  timers_->flush.async_wait(
      [this, alive = std::weak_ptr(timers_)](const boost::system::error_code& error) {
        if (!error && !alive.expired()) {
          timers_->flush_pending = false;
          flush();
        }
      });
}

void DataplaneLink::flush() {
  if (!connected() || !state_known_ || !started_ || under_way_) {
    return;
  }
  // What is refused waits for a change, and a proposal is one: it may be what mends it. It goes
  // before other changes, so that a kernel that never rests holds up no reload.
  if (!proposals_.empty() && (refused_ || !full_needed_)) {
    return send_proposal();
  }
  if (refused_) {
    return;
  }
  if (full_needed_) {
    return send_full();
  }
  if (!changed_.empty()) {
    send_changes();
  }
}

void DataplaneLink::send_full() {
  Transaction transaction;
  transaction.set_full(true);
  Resources sent = wanted_;
  for (const std::string& key : left_out_) {
    sent.erase(key);
  }
  for (const auto& [key, resource] : sent) {
    *transaction.add_upsert() = resource;
  }
  changed_.clear();
  send(std::move(transaction), [this, sent](const Verdict& verdict) {
    if (!verdict.refusals.empty()) {
      return leave_out_what_is_refused(verdict);
    }
    said_ = sent;
    full_needed_ = false;
  });
}

void DataplaneLink::send_changes() {
  Transaction transaction;
  const std::set<std::string> keys = std::exchange(changed_, {});
  put_differences(keys, wanted_, transaction);
  if (transaction.upsert_size() == 0 && transaction.remove_size() == 0) {
    return schedule_flush();  // a proposal may wait
  }
  send(std::move(transaction), [this, keys, sent = wanted_](const Verdict& verdict) {
    if (!verdict.refusals.empty()) {
      changed_.insert(keys.begin(), keys.end());
      return leave_out_what_is_refused(verdict);
    }
    note_said(keys, sent);
  });
}

// Carries all that waits with it: everything where the full state is still to be said.
void DataplaneLink::send_proposal() {
  // It stays in the queue until it is answered: a disconnection takes it over from there.
  const Proposal proposal = proposals_.front();
  Resources sent = wanted_;
  apply(proposal, sent);
  Transaction transaction;
  std::set<std::string> keys = std::exchange(changed_, {});
  if (full_needed_) {
    transaction.set_full(true);
    for (const auto& [key, resource] : sent) {
      *transaction.add_upsert() = resource;
    }
  } else {
    for (const auto& [key, resource] : proposal.wanted) {
      keys.insert(key);
    }
    keys.insert(proposal.unwanted.begin(), proposal.unwanted.end());
    put_differences(keys, sent, transaction);
  }
  send(std::move(transaction), [this, proposal, keys, sent, full = full_needed_,
                                waited = refused_](const Verdict& verdict) {
    proposals_.erase(proposals_.begin());
    if (verdict.refusals.empty()) {
      apply(proposal, wanted_);
      full ? void(said_ = sent) : note_said(keys, sent);
      full_needed_ = false;
    } else {
      changed_.insert(keys.begin(), keys.end());
      refused_ = waited;  // what is in force is as it was
      trouble_ = waited ? trouble_ : "";
    }
    proposal.on_verdict(verdict);
  });
}

void DataplaneLink::apply(const Proposal& proposal, Resources& resources) {
  for (const auto& [key, resource] : proposal.wanted) {
    resources[key] = resource;
  }
  for (const std::string& key : proposal.unwanted) {
    resources.erase(key);
  }
}

// What leads, in these keys, from what was said to what is wanted.
void DataplaneLink::put_differences(const std::set<std::string>& keys, const Resources& wanted,
                                    Transaction& transaction) const {
  for (const std::string& key : keys) {
    const auto now = wanted.find(key);
    const auto said = said_.find(key);
    if (now == wanted.end()) {
      if (said != said_.end()) {
        *transaction.add_remove() = removal_of(said->second);
      }
    } else if (said == said_.end() || !is_same(said->second, now->second)) {
      *transaction.add_upsert() = now->second;
    }
  }
}

void DataplaneLink::note_said(const std::set<std::string>& keys, const Resources& wanted) {
  for (const std::string& key : keys) {
    const auto now = wanted.find(key);
    if (now != wanted.end()) {
      said_[key] = now->second;
    } else {
      said_.erase(key);
    }
  }
}

// The rest is sent at once when anything could be left out.
void DataplaneLink::leave_out_what_is_refused(const Verdict& verdict) {
  const std::set<std::string> names(verdict.refused.begin(), verdict.refused.end());
  for (const auto& [key, resource] : wanted_) {
    if (follows_the_kernel(resource) && names.count(name_in_refusals(resource)) != 0 &&
        left_out_.insert(key).second) {
      changed_.erase(key);
      refused_ = false;
    }
  }
  if (!refused_) {
    retry_later();
  }
}

void DataplaneLink::send(Transaction transaction, const OnVerdict& on_verdict) {
  transaction.set_generation(generation_ + 1);
  ClientFrame frame;
  *frame.mutable_transaction() = std::move(transaction);
  under_way_ = true;
  client_.request(
      frame, kDeadline, [this, on_verdict](const tl::expected<ServerFrame, std::string>& answer) {
        if (!answer) {
          // Whether it took effect is not known: begin anew with the full state.
          spdlog::error("dataplane: transaction: {}", answer.error());
          if (client_.connected()) {
            client_.disconnect(answer.error());
            on_disconnect(answer.error());
          }
          return;
        }
        under_way_ = false;
        const ballast::api::TransactionAnswer& result = answer->transaction();
        generation_ = std::max(generation_, result.generation());
        const Verdict verdict{true,
                              result.generation(),
                              sentences(result),
                              names(result),
                              {result.stalled_workers().begin(), result.stalled_workers().end()}};
        refused_ = !verdict.refusals.empty();
        for (const uint32_t worker : verdict.stalled_workers) {
          spdlog::error("dataplane: worker {} has not taken generation {} within a second", worker,
                        verdict.generation);
        }
        for (const std::string& refusal : verdict.refusals) {
          spdlog::error("dataplane: refused: {}", refusal);
        }
        if (!verdict.refusals.empty()) {
          trouble_ = "refused: " + verdict.refusals.front();
        } else if (left_out_.empty()) {
          trouble_.clear();
        }
        on_verdict(verdict);
        if (refused_) {
          retry_later();
        }
        schedule_flush();
      });
}

void DataplaneLink::retry_later() {
  timers_->retry.expires_after(kRetryRefused);
  timers_->retry.async_wait(
      [this, alive = std::weak_ptr(timers_)](const boost::system::error_code& error) {
        if (!error && !alive.expired()) {
          changed_.merge(std::exchange(left_out_, {}));
          refused_ = false;
          flush();
        }
      });
}

void DataplaneLink::note_trouble(std::string trouble) {
  if (trouble != trouble_) {
    spdlog::warn("dataplane: {}", trouble);
    trouble_ = std::move(trouble);
  }
}

}  // namespace ballast::control
