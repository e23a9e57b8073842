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
      timers_(std::make_unique<Timers>(loop)),
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
  timers_->reconnect.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
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
    for (const auto& [key, resource] : proposal.wanted) {
      wanted_[key] = resource;
    }
    for (const std::string& key : proposal.unwanted) {
      wanted_.erase(key);
    }
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
      spdlog::error("dataplane: another ballastd took over: {}: this one only watches from now on",
                    event.fenced().by());
      return;
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
  changed_[key] = true;
  refused_ = false;
  schedule_flush();
}

void DataplaneLink::remove(const std::string& key) {
  if (wanted_.erase(key) != 0) {
    changed_[key] = true;
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
    for (const auto& [key, resource] : proposal.wanted) {
      wanted_[key] = resource;
    }
    for (const std::string& key : proposal.unwanted) {
      wanted_.erase(key);
    }
    boost::asio::post(timers_->loop, [done = std::move(proposal.on_verdict)] { done({}); });
  }
  schedule_flush();
}

void DataplaneLink::request(const ClientFrame& frame, OnAnswer on_answer) {
  client_.request(frame, kDeadline, std::move(on_answer));
}

bool DataplaneLink::in_sync() const {
  return connected() && !full_needed_ && changed_.empty() && proposals_.empty() && !under_way_;
}

// At the end of this turn of the loop, so that changes that come together leave together.
void DataplaneLink::schedule_flush() {
  if (std::exchange(timers_->flush_pending, true)) {
    return;
  }
  timers_->flush.expires_after(0ms);
  timers_->flush.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      timers_->flush_pending = false;
      flush();
    }
  });
}

void DataplaneLink::flush() {
  if (!connected() || !state_known_ || !started_ || under_way_ || refused_) {
    return;
  }
  if (full_needed_) {
    return send_full();
  }
  if (!changed_.empty()) {
    return send_changes();
  }
  if (!proposals_.empty()) {
    send_proposal();
  }
}

void DataplaneLink::send_full() {
  Transaction transaction;
  transaction.set_full(true);
  for (const auto& [key, resource] : wanted_) {
    *transaction.add_upsert() = resource;
  }
  changed_.clear();
  send(std::move(transaction), [this, sent = wanted_](const Verdict& verdict) {
    if (verdict.refusals.empty()) {
      said_ = sent;
      full_needed_ = false;
    }
  });
}

void DataplaneLink::send_changes() {
  Transaction transaction;
  Resources sent;
  std::vector<std::string> removed;
  for (const auto& [key, _] : changed_) {
    const auto wanted = wanted_.find(key);
    const auto said = said_.find(key);
    if (wanted != wanted_.end()) {
      if (said == said_.end() ||
          said->second.SerializeAsString() != wanted->second.SerializeAsString()) {
        *transaction.add_upsert() = wanted->second;
        sent.insert(*wanted);
      }
    } else if (said != said_.end()) {
      *transaction.add_remove() = removal_of(said->second);
      removed.push_back(key);
    }
  }
  changed_.clear();
  if (sent.empty() && removed.empty()) {
    return schedule_flush();  // a proposal may wait
  }
  send(std::move(transaction), [this, sent, removed](const Verdict& verdict) {
    for (const auto& [key, resource] : sent) {
      if (verdict.refusals.empty()) {
        said_[key] = resource;
      } else {
        changed_[key] = true;
      }
    }
    for (const std::string& key : removed) {
      if (verdict.refusals.empty()) {
        said_.erase(key);
      } else {
        changed_[key] = true;
      }
    }
  });
}

void DataplaneLink::send_proposal() {
  Proposal proposal = std::move(proposals_.front());
  Transaction transaction;
  for (const auto& [key, resource] : proposal.wanted) {
    *transaction.add_upsert() = resource;
  }
  for (const std::string& key : proposal.unwanted) {
    const auto said = said_.find(key);
    if (said != said_.end()) {
      *transaction.add_remove() = removal_of(said->second);
    }
  }
  // It stays in the queue, without its callback, until it is answered: a disconnection takes it
  // over from there.
  proposals_.front() = proposal;
  send(std::move(transaction), [this, proposal](const Verdict& verdict) {
    proposals_.erase(proposals_.begin());
    if (verdict.refusals.empty()) {
      for (const auto& [key, resource] : proposal.wanted) {
        wanted_[key] = resource;
        said_[key] = resource;
      }
      for (const std::string& key : proposal.unwanted) {
        wanted_.erase(key);
        said_.erase(key);
      }
    } else {
      refused_ = false;  // what is in force is as it was, and good
      trouble_.clear();
    }
    proposal.on_verdict(verdict);
  });
}

void DataplaneLink::send(Transaction transaction, OnVerdict on_verdict) {
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
                              {result.stalled_workers().begin(), result.stalled_workers().end()}};
        refused_ = !verdict.refusals.empty();
        for (const uint32_t worker : verdict.stalled_workers) {
          spdlog::error("dataplane: worker {} has not taken generation {} within a second", worker,
                        verdict.generation);
        }
        for (const std::string& refusal : verdict.refusals) {
          spdlog::error("dataplane: refused: {}", refusal);
        }
        trouble_ = verdict.refusals.empty() ? "" : "refused: " + verdict.refusals.front();
        on_verdict(verdict);
        if (refused_) {
          retry_later();
        }
        schedule_flush();
      });
}

void DataplaneLink::retry_later() {
  timers_->retry.expires_after(kRetryRefused);
  timers_->retry.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
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
