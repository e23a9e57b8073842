#include "control/ctl/command_line.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "control/config/endpoint.h"
#include "dataplane/packet/address.h"

namespace ballast::control {
namespace {

constexpr const char* kFooter = R"(
Every command takes --json, --socket and --timeout.
With --json standard output is one JSON document: the answer, or {"error": {"code", "message", "details", "exitCode"}}.

Exit codes:
  0  done
  1  the answer is no: refused, invalid, not found, not taken over
  2  the command line makes no sense
  3  ballastd is not running, does not answer, or may not be asked
  4  ballastd has no connection to the dataplane; what it knows is printed all the same)";

struct Texts {  // of options that are more than text
  double timeout_seconds = 10;
  double interval_seconds = 1;
  std::string vip;
  std::string server;
};

class CommandLineApp {
 public:
  CommandLineApp();

  CLI::App& app() { return app_; }
  CommandLine& result() { return line_; }
  // What CLI11 has put into texts; an error says which option is wrong.
  tl::expected<void, std::string> finish();

 private:
  CLI::App* add(CLI::App* parent, const char* name, const char* description, Command command);
  void add_services();
  void add_connections();
  void add_ports();
  void add_configuration();
  void add_servers();
  void add_vrrp();
  void add_completion();

  CLI::App app_{"See and steer the load balancer: asks ballastd over its unix socket.",
                "ballastctl"};
  CommandLine line_;
  Texts texts_;
};

CommandLineApp::CommandLineApp() {
  app_.footer(kFooter);
  app_.fallthrough();  // "ballastctl status --json" is "ballastctl --json status"
  app_.require_subcommand(1);
  app_.set_version_flag("--version", "ballastctl " BALLAST_VERSION, "Print the version and exit");
  app_.add_flag("--json", line_.json, "Print JSON instead of tables");
  app_.add_option("--socket", line_.socket, "The socket ballastd listens on")
      ->capture_default_str()
      ->type_name("PATH");
  app_.add_option("--timeout", texts_.timeout_seconds, "Wait at most so long for an answer")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 3600.0))
      ->type_name("SECONDS");
  add(&app_, "status", "What is wrong, if anything, and what runs", Command::kStatus);
  add_services();
  add_connections();
  add_ports();
  auto* drops = add(&app_, "drops", "Why packets were dropped, and how many", Command::kDrops);
  drops->add_flag("--all", line_.all, "Also reasons that have not occurred");
  add(&app_, "checks", "Health checks: what they found last", Command::kChecks);
  add_configuration();
  add_servers();
  add_vrrp();
  add(&app_, "restart",
      "Begin ballastd anew, on the program that is installed now; forwarding goes on",
      Command::kRestart);
  add_completion();
}

CLI::App* CommandLineApp::add(CLI::App* parent, const char* name, const char* description,
                              Command command) {
  CLI::App* sub = parent->add_subcommand(name, description);
  sub->final_callback([this, command] { line_.command = command; });
  return sub;
}

void CommandLineApp::add_services() {
  auto* service = app_.add_subcommand("service", "Services and their servers");
  service->require_subcommand(1);
  auto* list =
      add(service, "list", "All services, as ipvsadm -Ln shows them", Command::kServiceList);
  auto* show =
      add(service, "show", "One service with all that is known of it", Command::kServiceShow);
  show->add_option("name", line_.service, "Name of the service")->required()->type_name("SERVICE");
  for (CLI::App* command : {list, show}) {
    auto* stats = command->add_flag("--stats", line_.stats, "Counters, as ipvsadm --stats");
    auto* rate =
        command->add_flag("--rate", line_.rate, "What happens by the second, as ipvsadm --rate");
    command->add_option("--interval", texts_.interval_seconds, "Measure rates over so long")
        ->needs(rate)
        ->check(CLI::Range(0.01, 3600.0))
        ->type_name("SECONDS");
    stats->excludes(rate);
  }
}

void CommandLineApp::add_connections() {
  auto* connection = app_.add_subcommand("connection", "Connections");
  connection->require_subcommand(1);
  auto* list =
      add(connection, "list", "Connections, as ipvsadm -Lnc shows them", Command::kConnectionList);
  list->add_option("--client", line_.client, "Only those of this client or network")
      ->type_name("ADDRESS[/LENGTH]");
  list->add_option("--vip", texts_.vip, "Only those to this virtual address")
      ->type_name("ADDRESS[:PORT]");
  list->add_option("--server", line_.server, "Only those to this server or network")
      ->type_name("ADDRESS[/LENGTH]");
  auto* limit = list->add_option("--limit", line_.limit, "Print at most so many")
                    ->capture_default_str()
                    ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
                    ->type_name("COUNT");
  list->add_flag("--all", line_.all, "Print all that there are")->excludes(limit);
}

void CommandLineApp::add_ports() {
  auto* port = app_.add_subcommand("port", "Ports of the dataplane");
  port->require_subcommand(1);
  auto* show = add(port, "show", "All ports, or one: device, offloads, and who steers its packets",
                   Command::kPortShow);
  show->add_option("name", line_.port_name, "Name of the port")->type_name("PORT");
}

void CommandLineApp::add_configuration() {
  add(&app_, "reload", "Load the configuration file again, whole or not at all", Command::kReload);
  auto* check =
      add(&app_, "check", "Is this a valid configuration? Needs no ballastd", Command::kCheck);
  check->add_option("file", line_.file, "The configuration file")->required()->type_name("FILE");
  auto* diff =
      add(&app_, "diff", "What would change if this configuration were loaded", Command::kDiff);
  diff->add_option("file", line_.file, "The configuration file")->required()->type_name("FILE");
}

void CommandLineApp::add_servers() {
  auto* server =
      app_.add_subcommand("server", "Take a server out of service by hand, or put it back");
  server->require_subcommand(1);
  auto* drain =
      add(server, "drain", "No new connections; those that are there go on", Command::kServerDrain);
  auto* disable = add(server, "disable",
                      "No new connections; those that are there are ended as on_server_down says",
                      Command::kServerDisable);
  auto* enable =
      add(server, "enable", "Back to what configuration and health say", Command::kServerEnable);
  for (CLI::App* command : {drain, disable, enable}) {
    command->add_option("service", line_.service, "Name of the service")
        ->required()
        ->type_name("SERVICE");
    command
        ->add_option("address", texts_.server,
                     "Address of the server, with its port if the service has several there")
        ->required()
        ->type_name("ADDRESS[:PORT]");
  }
}

void CommandLineApp::add_vrrp() {
  auto* vrrp = app_.add_subcommand(
      "vrrp", "Which node has the addresses, and why; alone it is \"vrrp list\"");
  vrrp->final_callback([this, vrrp] {
    if (vrrp->get_subcommands().empty()) {  // it runs after those of its commands
      line_.command = Command::kVrrpList;
    }
  });
  add(vrrp, "list", "All instances, and what needs attention", Command::kVrrpList);
  auto* show = add(vrrp, "show",
                   "One instance, or those of a group, with tracking, adverts, peers and faults",
                   Command::kVrrpShow);
  auto* failover =
      add(vrrp, "failover",
          "Give the addresses to another node, losing nothing; it keeps them until release",
          Command::kVrrpFailover);
  auto* release =
      add(vrrp, "release", "Take part in elections again after a failover", Command::kVrrpRelease);
  for (CLI::App* command : {show, failover, release}) {
    command->add_option("name", line_.instance, "Name of the instance, or of its group")
        ->required()
        ->type_name("INSTANCE");
  }
}

void CommandLineApp::add_completion() {
  auto* completion = app_.add_subcommand(
      "completion", "Completion for a shell: source <(ballastctl completion bash)");
  completion->require_subcommand(1);
  for (const char* shell : {"bash", "zsh", "fish"}) {
    auto* command = completion->add_subcommand(shell, fmt::format("Completion for {}", shell));
    command->final_callback([this, shell] {
      line_.command = Command::kCompletion;
      line_.shell = shell;
    });
  }
  add(&app_, "names", "Names of the services, a line each", Command::kNames)->group("");
  add(&app_, "port-names", "Names of the ports, a line each", Command::kPortNames)->group("");
  add(&app_, "vrrp-names", "Names of VRRP instances and groups, a line each", Command::kVrrpNames)
      ->group("");
}

std::chrono::milliseconds to_duration(double seconds) {
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
}

tl::expected<void, std::string> check_prefix(const char* option, const std::string& text) {
  if (text.empty() || ballast::Prefix::parse(text)) {
    return {};
  }
  return tl::unexpected(
      fmt::format("{}: \"{}\": an address like 192.0.2.1, or a network like 192.0.2.0/24, is "
                  "expected",
                  option, text));
}

tl::expected<void, std::string> CommandLineApp::finish() {
  line_.timeout = to_duration(texts_.timeout_seconds);
  line_.interval = to_duration(texts_.interval_seconds);
  for (const auto& [option, text] :
       {std::pair{"--client", &line_.client}, std::pair{"--server", &line_.server}}) {
    if (auto valid = check_prefix(option, *text); !valid) {
      return valid;
    }
  }
  if (!texts_.vip.empty()) {
    const auto vip = parse_server(texts_.vip);
    if (!vip) {
      return tl::unexpected("--vip: " + vip.error());
    }
    line_.vip = vip->address.to_string();
    line_.vip_port = vip->port;
  }
  if (!texts_.server.empty()) {
    const auto server = parse_server(texts_.server);
    if (!server) {
      return tl::unexpected("address: " + server.error());
    }
    line_.address = server->address.to_string();
    line_.port = server->port;
  }
  return {};
}

ValueKind value_kind(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (option.get_items_expected_max() == 0) {
    return ValueKind::kNone;
  }
  if (type.rfind("FILE", 0) == 0 || type.rfind("PATH", 0) == 0) {
    return ValueKind::kFile;
  }
  if (type.rfind("INSTANCE", 0) == 0) {
    return ValueKind::kInstance;
  }
  if (type.rfind("PORT", 0) == 0) {
    return ValueKind::kPort;
  }
  return type.rfind("SERVICE", 0) == 0 ? ValueKind::kService : ValueKind::kAny;
}

CommandTree tree_of(const CLI::App& app, std::vector<CommandOption> inherited) {
  CommandTree tree{app.get_name(), app.get_description(), std::move(inherited), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      tree.positionals.push_back(value_kind(*option));
      continue;
    }
    CommandOption described{{}, option->get_description(), value_kind(*option)};
    for (const auto& name : option->get_lnames()) {
      described.names.push_back("--" + name);
    }
    for (const auto& name : option->get_snames()) {
      described.names.push_back("-" + name);
    }
    const bool known =
        std::any_of(tree.options.begin(), tree.options.end(), [&](const auto& other) {
          return other.names == described.names;  // every command has its own --help
        });
    if (!known) {
      tree.options.push_back(std::move(described));
    }
  }
  // --version belongs to the program alone.
  std::vector<CommandOption> handed_down;
  std::copy_if(tree.options.begin(), tree.options.end(), std::back_inserter(handed_down),
               [](const auto& option) { return option.names.front() != "--version"; });
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) {
      tree.commands.push_back(tree_of(*command, handed_down));
    }
  }
  return tree;
}

}  // namespace

std::variant<CommandLine, EarlyEnd> parse_command_line(int argc, const char* const* argv) {
  CommandLineApp command_line;
  const bool json = std::any_of(argv + 1, argv + std::max(argc, 1), [](const char* argument) {
    return std::strcmp(argument, "--json") == 0;
  });
  try {
    command_line.app().parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      std::ostringstream text;
      command_line.app().exit(error, text, text);
      return EarlyEnd{ExitCode::kOk, text.str(), json};
    }
    return EarlyEnd{ExitCode::kUsage, error.what(), json};
  }
  if (auto finished = command_line.finish(); !finished) {
    return EarlyEnd{ExitCode::kUsage, finished.error(), json};
  }
  return command_line.result();
}

CommandTree command_tree() {
  CommandLineApp command_line;
  return tree_of(command_line.app(), {});
}

}  // namespace ballast::control
