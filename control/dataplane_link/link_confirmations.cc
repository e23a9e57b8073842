// Who waits until the dataplane runs on what was said of a resource.
#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "control/dataplane_link/link.h"
#include "control/dataplane_link/link_timers.h"
#include "control/dataplane_link/resource_differences.h"

namespace ballast::control {

struct DataplaneLink::Waiter {
  Waiter(boost::asio::io_context& loop, std::string key_, OnConfirmed done_)
      : key(std::move(key_)), done(std::move(done_)), limit(loop) {}

  std::string key;
  OnConfirmed done;
  boost::asio::steady_timer limit;
};

void DataplaneLink::when_confirmed(const std::string& key, std::chrono::milliseconds limit,
                                   OnConfirmed on_confirmed) {
  const auto waiter = std::make_shared<Waiter>(timers_->loop, key, std::move(on_confirmed));
  waiters_.push_back(waiter);
  waiter->limit.expires_after(limit);
  waiter->limit.async_wait(
      [this, alive = std::weak_ptr(waiter)](const boost::system::error_code& error) {
        const auto late = alive.lock();
        if (!error && late && std::erase(waiters_, late) != 0) {
          late->done(false);
        }
      });
  boost::asio::post(timers_->loop, [this, alive = std::weak_ptr(timers_)] {
    if (!alive.expired()) {
      answer_waiters({});
    }
  });
}

bool DataplaneLink::is_confirmed(const std::string& key) const {
  ballast::api::Transaction rest;
  put_differences({key}, said_, wanted_, rest);
  return !full_needed_ && rest.upsert_size() == 0 && rest.remove_size() == 0;
}

// A worker that stalls may still run on what was before. What was refused in part goes on without
// that part; all else waits for the retry.
void DataplaneLink::answer_waiters(const std::vector<uint32_t>& stalled_workers) {
  const bool hopeless = !connected() || refused_;
  std::vector<std::pair<std::shared_ptr<Waiter>, bool>> answered;
  std::erase_if(waiters_, [&](const std::shared_ptr<Waiter>& waiter) {
    const bool confirmed = is_confirmed(waiter->key);
    if (confirmed || hopeless) {
      answered.emplace_back(waiter, confirmed && stalled_workers.empty());
    }
    return confirmed || hopeless;
  });
  for (const auto& [waiter, confirmed] : answered) {
    waiter->limit.cancel();
    waiter->done(confirmed);
  }
}

}  // namespace ballast::control
