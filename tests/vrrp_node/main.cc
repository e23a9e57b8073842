// One VRRP group on one interface, for tests against other implementations: prints what happens as
// lines, takes commands as lines. It answers no ARP and forwards nothing.
//
//   vrrp_node INTERFACE VRID PRIORITY INTERVAL_MS VERSION CHECKSUM PREEMPT ADDRESS[,ADDRESS]
//   [PEER,...] commands: status | move | release | fault TEXT | ok | restart MS | abandon | stop
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <net/if.h>

#include "vrrp/speaker.h"

namespace {

using namespace ballast;
using namespace ballast::vrrp;

int number(const char* text) {
  int value = 0;
  std::from_chars(text, text + std::string_view(text).size(), value);
  return value;
}

std::vector<IpAddress> addresses(std::string_view list) {
  std::vector<IpAddress> result;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (const auto address = IpAddress::parse(list.substr(0, comma))) {
      result.push_back(*address);
    }
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return result;
}

void say(const std::string& line) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::string text =
      fmt::format("{:.6f} {}\n", std::chrono::duration<double>(now).count(), line);
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

class Printer : public LeaseHolder {
 public:
  void set_lease(TimePoint, const RouterKey&, LeaseMode mode, TimePoint) override {
    if (mode != mode_) {
      say(fmt::format("lease {}", to_string(mode)));
    }
    mode_ = mode;
  }
  std::string fault(TimePoint) override { return {}; }

 private:
  LeaseMode mode_ = LeaseMode::kNone;
};

GroupSettings settings_from(char** arguments, int count) {
  GroupSettings group;
  group.name = "test";
  group.priority = Priority{static_cast<uint8_t>(number(arguments[3]))};
  group.preempt = number(arguments[7]) != 0;
  const std::vector<IpAddress> all = addresses(arguments[8]);
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    RouterSettings router;
    router.key = {InterfaceIndex{::if_nametoindex(arguments[1])}, family,
                  VirtualRouterId{static_cast<uint8_t>(number(arguments[2]))}};
    router.advert_interval = std::chrono::milliseconds{number(arguments[4])};
    router.version = number(arguments[5]) == 2 ? Version::kV2 : Version::kV3;
    router.checksum = std::string_view(arguments[6]) == "rfc9568" ? ChecksumForm::kRfc9568
                                                                  : ChecksumForm::kRfc5798;
    for (const IpAddress& address : all) {
      if (address.family() == family) {
        router.addresses.push_back(address);
      }
    }
    for (const IpAddress& peer : count > 9 ? addresses(arguments[9]) : std::vector<IpAddress>{}) {
      if (peer.family() == family) {
        router.unicast_peers.push_back(peer);
      }
    }
    if (count > 10) {
      router.minimum_ttl = static_cast<uint8_t>(number(arguments[10]));
    }
    if (!router.addresses.empty()) {
      group.routers.push_back(router);
    }
  }
  return group;
}

void print(const SpeakerStatus& status) {
  for (const GroupStatus& group : status.groups) {
    for (const RouterStatus& router : group.routers) {
      const RouterStatistics& count = router.statistics;
      std::string faults;
      for (size_t i = 0; i < kAdvertFaults; ++i) {
        if (router.faults[i].count > 0) {
          faults +=
              fmt::format(" {}={}", name_of(static_cast<AdvertFault>(i)), router.faults[i].count);
        }
      }
      say(fmt::format(
          "status IPv{} {} sent={} received={} became_active={} lateness_us={} "
          "both_active={} freezes={} errors={} reason=\"{}\"{} {}",
          index(router.key.family), to_string(router.state), count.adverts_sent,
          count.adverts_received, count.became_active, count.largest_lateness.count() / 1000,
          count.both_active.episodes, count.freezes, router.send_errors, group.last_change.reason,
          faults, status.real_time));
    }
  }
}

void obey(Speaker& speaker, const std::string& line) {
  if (line == "status") {
    std::promise<void> done;
    speaker.request_status([&done](const SpeakerStatus& status) {
      print(status);
      done.set_value();
    });
    done.get_future().wait();
  } else if (line == "move") {
    speaker.move_away("test", [](bool has_moved) { say(fmt::format("moved {}", has_moved)); });
  } else if (line == "release") {
    speaker.release("test");
  } else if (line.starts_with("fault ")) {
    speaker.set_condition("test", {{line.substr(6)}, 0});
  } else if (line == "ok") {
    speaker.set_condition("test", {});
  } else if (line.starts_with("restart ")) {
    speaker.prepare_restart(std::chrono::milliseconds{number(line.c_str() + 8)});
  } else if (line == "abandon") {
    speaker.abandon();
  } else if (line == "stop") {
    speaker.stop("stopped");
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 9) {
    std::fputs("usage: see the head of the source\n", stderr);
    return 2;
  }
  const GroupSettings settings = settings_from(arguments, count);
  if (const auto valid = validate(settings); !valid) {
    std::fprintf(stderr, "%s\n", valid.error().c_str());
    return 2;
  }
  Printer printer;
  SpeakerCallbacks callbacks;
  callbacks.announce = [](const RouterKey& key) {
    say(fmt::format("announce IPv{}", index(key.family)));
  };
  callbacks.transition = [](const std::string&, const RouterKey& key, const Transition& change) {
    say(fmt::format("transition IPv{} {} {}: {}", index(key.family), to_string(change.from),
                    to_string(change.to), change.reason));
  };
  callbacks.report = [](const std::string&, const Report& report) { say("report " + report.text); };
  callbacks.restart_prepared = [](const std::string&, TimePoint until) {
    say(fmt::format("prepared {:.6f}",
                    std::chrono::duration<double>(until.time_since_epoch()).count()));
  };
  Speaker speaker(printer, callbacks);
  speaker.set_groups({{settings, {}, false}});
  speaker.set_interfaces({read_interface_facts(settings.routers.front().key.interface)});
  for (std::string line; std::getline(std::cin, line);) {
    obey(speaker, line);
  }
  return 0;
}
