#include "tests/bench/machine.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <rte_cycles.h>
#include <sys/utsname.h>

#include "tests/bench/json.h"

namespace ballast::bench {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown";
}

std::vector<Cache> caches_of(unsigned core) {
  std::vector<Cache> caches;
  for (unsigned i = 0;; ++i) {
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu{}/cache/index{}/", core, i);
    const std::string level = first_line(folder + "level");
    if (level.empty()) {
      return caches;
    }
    caches.push_back({static_cast<unsigned>(std::stoul(level)), first_line(folder + "type"),
                      first_line(folder + "size"), first_line(folder + "shared_cpu_list")});
  }
}

std::string output_of(const char* command) {
  // NOLINTNEXTLINE(cert-env33-c): a constant command
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command, "r"), &pclose);
  std::array<char, 128> text{};
  if (!pipe || fgets(text.data(), text.size(), pipe.get()) == nullptr) {
    return {};
  }
  std::string line = text.data();
  line.resize(line.find_last_not_of('\n') + 1);
  return line;
}

}  // namespace

Machine describe_machine(unsigned core, const std::string& hugepages) {
  Machine machine;
  machine.cpu = cpu_model();
  machine.cores = std::thread::hardware_concurrency();
  machine.tsc_ghz = static_cast<double>(rte_get_tsc_hz()) / 1e9;
  machine.caches = caches_of(core);
  utsname kernel{};
  uname(&kernel);
  machine.kernel = kernel.release;
  machine.hugepages = hugepages;
  machine.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  machine.commit = output_of("git describe --always --dirty --abbrev=12 2>/dev/null");
  return machine;
}

std::string Machine::to_json() const {
  std::vector<std::string> list;
  for (const Cache& cache : caches) {
    list.push_back(JsonObject()
                       .add("level", cache.level)
                       .add("type", cache.type)
                       .add("size", cache.size)
                       .add("shared_by", cache.shared_by)
                       .text());
  }
  return JsonObject()
      .add("cpu", cpu)
      .add("cores", cores)
      .add("tsc_ghz", tsc_ghz)
      .add_raw("caches", fmt::format("[{}]", fmt::join(list, ", ")))
      .add("kernel", kernel)
      .add("hugepages", hugepages)
      .add("date", date)
      .add("commit", commit)
      .text();
}

std::string Machine::to_string() const {
  std::string text =
      fmt::format("{}, {} cores, TSC {:.2f} GHz, Linux {}\ncaches:", cpu, cores, tsc_ghz, kernel);
  for (const Cache& cache : caches) {
    text +=
        fmt::format(" L{} {} {} (cores {})", cache.level, cache.type, cache.size, cache.shared_by);
  }
  return text + fmt::format("\nhugepages: {}\n{} commit {}\n", hugepages, date, commit);
}

}  // namespace ballast::bench
