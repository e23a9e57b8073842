// What the link sends, when, and what it makes of the answers.
#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "control/dataplane_link/link_timers.h"
#include "control/dataplane_link/resource_differences.h"

namespace ballast::control {
namespace {

using namespace std::chrono_literals;
using ballast::api::ClientFrame;
using ballast::api::ServerFrame;
using ballast::api::Transaction;

constexpr auto kRetryRefused = 5s;

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

bool follows_the_kernel(const ballast::api::Resource& resource) {
  return resource.has_port() || resource.has_route() || resource.has_neighbor();
}

}  // namespace

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
  put_differences(keys, said_, wanted_, transaction);
  if (transaction.upsert_size() == 0 && transaction.remove_size() == 0) {
    return schedule_flush();  // a proposal may wait
  }
  send(std::move(transaction), [this, keys, sent = wanted_](const Verdict& verdict) {
    if (!verdict.refusals.empty()) {
      changed_.insert(keys.begin(), keys.end());
      return leave_out_what_is_refused(verdict);
    }
    note_said(keys, sent, said_);
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
    put_differences(keys, said_, sent, transaction);
  }
  send(std::move(transaction), [this, proposal, keys, sent, full = full_needed_,
                                waited = refused_](const Verdict& verdict) {
    proposals_.erase(proposals_.begin());
    if (verdict.refusals.empty()) {
      apply(proposal, wanted_);
      full ? void(said_ = sent) : note_said(keys, sent, said_);
      full_needed_ = false;
    } else {
      changed_.insert(keys.begin(), keys.end());
      refused_ = waited;  // what is in force is as it was
      trouble_ = waited ? trouble_ : "";
    }
    proposal.on_verdict(verdict);
  });
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
      frame, kRequestDeadline,
      [this, on_verdict](const tl::expected<ServerFrame, std::string>& answer) {
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
        callbacks_.on_transaction(verdict);
        answer_waiters(verdict.stalled_workers);
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

void DataplaneLink::apply(const Proposal& proposal, Resources& resources) {
  for (const auto& [key, resource] : proposal.wanted) {
    resources[key] = resource;
  }
  for (const std::string& key : proposal.unwanted) {
    resources.erase(key);
  }
}

}  // namespace ballast::control
