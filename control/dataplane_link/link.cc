#include "control/dataplane_link/link.h"

#include <algorithm>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "control/dataplane_link/link_timers.h"

namespace ballast::control {
namespace {

using namespace std::chrono_literals;
using ballast::api::ClientFrame;
using ballast::api::ServerFrame;

constexpr auto kReconnect = 100ms;

}  // namespace

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
  client_.connect(socket_, hello, kRequestDeadline,
                  [this](const auto& answer) { on_hello(answer); });
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
  client_.request(frame, kRequestDeadline, [this](const auto& answer) { on_state(answer); });
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
  answer_waiters({});
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
  client_.request(frame, kRequestDeadline, std::move(on_answer));
}

bool DataplaneLink::runs_on_configuration() const {
  const auto is_configured = [](const std::string& key) {
    return key.starts_with("service/") || key.starts_with("vip/") || key == "settings";
  };
  return connected() && !full_needed_ &&
         std::all_of(wanted_.begin(), wanted_.end(), [&](const auto& item) {
           return !is_configured(item.first) || said_.contains(item.first);
         });
}

bool DataplaneLink::in_sync() const {
  return connected() && !full_needed_ && changed_.empty() && left_out_.empty() &&
         proposals_.empty() && !under_way_;
}

void DataplaneLink::note_trouble(std::string trouble) {
  if (trouble != trouble_) {
    spdlog::warn("dataplane: {}", trouble);
    trouble_ = std::move(trouble);
  }
}

}  // namespace ballast::control
