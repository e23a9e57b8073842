// A ballastd that answers at once, later, or never, as a test says.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <stdlib.h>

#include "control/api/handler.h"

namespace ballast::control {

class FakeHandler : public ControlHandler {
 public:
  // What is answered; each may be replaced by a test.
  std::function<void(const Peer&, const api::StatusRequest&, Callback<api::StatusAnswer>)>
      on_status = [](const Peer&, const api::StatusRequest&, Callback<api::StatusAnswer> done) {
        done(api::StatusAnswer());
      };
  std::function<tl::expected<api::ListServicesAnswer, api::Failure>(const std::string& name)>
      on_services = [](const std::string&) { return api::ListServicesAnswer(); };
  std::function<tl::expected<api::ListConnectionsAnswer, api::Failure>(
      const ballast::api::ListConnections&)>
      on_connections = [](const auto&) { return api::ListConnectionsAnswer(); };
  std::function<tl::expected<api::ListPortsAnswer, api::Failure>(const std::string& name)>
      on_ports = [](const std::string&) { return api::ListPortsAnswer(); };
  tl::expected<api::DropsAnswer, api::Failure> drops_answer;
  tl::expected<api::ChecksAnswer, api::Failure> checks_answer;
  // Take the place of the two above where they are set.
  std::function<tl::expected<api::ListServicesAnswer, api::Failure>(
      const api::ListServicesRequest&)>
      on_service_page;
  std::function<tl::expected<api::ChecksAnswer, api::Failure>(const api::ChecksRequest&)>
      on_check_page;
  tl::expected<api::ReloadAnswer, api::Failure> reload_answer;
  tl::expected<api::DiffAnswer, api::Failure> diff_answer;
  std::function<tl::expected<api::SetServerOverrideAnswer, api::Failure>(
      const api::SetServerOverrideRequest&)>
      on_override = [](const auto&) { return api::SetServerOverrideAnswer(); };
  std::function<tl::expected<api::ListVrrpAnswer, api::Failure>(const std::string& name)>
      on_list_vrrp = [](const std::string&) { return api::ListVrrpAnswer(); };
  std::function<tl::expected<api::MoveVrrpAnswer, api::Failure>(const api::MoveVrrpRequest&)>
      on_move_vrrp = [](const auto&) { return api::MoveVrrpAnswer(); };
  tl::expected<api::RestartAnswer, api::Failure> restart_answer;
  std::string diff_text;  // the text of the last Diff

  void status(const Peer& peer, const api::StatusRequest& request,
              Callback<api::StatusAnswer> done) override {
    on_status(peer, request, std::move(done));
  }
  void list_services(const Peer&, const api::ListServicesRequest& request,
                     Callback<api::ListServicesAnswer> done) override {
    done(on_service_page ? on_service_page(request) : on_services(request.name()));
  }
  void list_ports(const Peer&, const api::ListPortsRequest& request,
                  Callback<api::ListPortsAnswer> done) override {
    done(on_ports(request.name()));
  }
  void list_connections(const Peer&, const api::ListConnectionsRequest& request,
                        Callback<api::ListConnectionsAnswer> done) override {
    done(on_connections(request.filter()));
  }
  void drops(const Peer&, const api::DropsRequest&, Callback<api::DropsAnswer> done) override {
    done(drops_answer);
  }
  void checks(const Peer&, const api::ChecksRequest& request,
              Callback<api::ChecksAnswer> done) override {
    done(on_check_page ? on_check_page(request) : checks_answer);
  }
  void reload(const Peer&, const api::ReloadRequest&, Callback<api::ReloadAnswer> done) override {
    done(reload_answer);
  }
  void diff(const Peer&, const api::DiffRequest& request, Callback<api::DiffAnswer> done) override {
    diff_text = request.text();
    done(diff_answer);
  }
  void set_server_override(const Peer&, const api::SetServerOverrideRequest& request,
                           Callback<api::SetServerOverrideAnswer> done) override {
    done(on_override(request));
  }
  void list_vrrp(const Peer&, const api::ListVrrpRequest& request,
                 Callback<api::ListVrrpAnswer> done) override {
    done(on_list_vrrp(request.name()));
  }
  void move_vrrp(const Peer&, const api::MoveVrrpRequest& request,
                 Callback<api::MoveVrrpAnswer> done) override {
    done(on_move_vrrp(request));
  }
  void restart(const Peer&, const api::RestartRequest&,
               Callback<api::RestartAnswer> done) override {
    done(restart_answer);
  }
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ballast-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace ballast::control
