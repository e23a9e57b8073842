// What people see, letter by letter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/ctl/connection_view.h"
#include "control/ctl/list_view.h"
#include "control/ctl/port_view.h"
#include "control/ctl/service_view.h"
#include "control/ctl/status_view.h"
#include "control/ctl/words.h"

namespace ballast::control {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr Style kPlain{};

void listen(api::ServiceStatus& service, const char* address, uint32_t port) {
  auto& listener = *service.add_listeners();
  listener.set_protocol(ballast::api::TCP);
  listener.set_address(address);
  listener.set_port(port);
}

api::ServerStatus& add_server(api::ServiceStatus& service, const char* address, uint32_t port,
                              uint32_t weight, ballast::api::Health health) {
  auto& server = *service.add_servers();
  server.set_address(address);
  server.set_port(port);
  server.set_weight(weight);
  server.set_configured_weight(100);
  server.set_health(health);
  return server;
}

api::ListServicesAnswer two_services() {
  api::ListServicesAnswer answer;
  answer.set_counted(true);
  auto& web = *answer.add_services();
  web.set_name("web");
  web.set_mode(ballast::api::DR);
  web.set_scheduler("wrr");
  listen(web, "192.0.2.10", 80);
  listen(web, "2001:db8::10", 80);
  auto& first = add_server(web, "10.0.0.11", 80, 100, ballast::api::UP);
  first.set_active_connections(3);
  first.set_inactive_connections(12);
  first.mutable_counters()->set_connections(15);
  first.mutable_counters()->set_packets_in(200);
  first.mutable_counters()->set_bytes_in(123456789);
  first.mutable_check()->set_last_result("200 OK in 3 ms");
  first.mutable_check()->set_changed_seconds_ago(192);
  auto& second = add_server(web, "2001:db8:0:1::1234:5678:9abc", 0, 0, ballast::api::DOWN);
  second.set_override(ballast::api::DRAINED);
  second.mutable_check()->set_last_result("connect: connection refused");
  second.mutable_check()->set_changed_seconds_ago(5);
  auto& dns = *answer.add_services();
  dns.set_name("dns");
  dns.set_mode(ballast::api::NAT);
  dns.set_scheduler("rr");
  dns.set_sloppy_tcp(true);
  listen(dns, "192.0.2.53", 53);
  listen(dns, "192.0.2.53", 5353);
  dns.mutable_listeners(0)->set_protocol(ballast::api::UDP);
  add_server(dns, "10.0.0.12", 0, 1, ballast::api::HEALTH_UNKNOWN).set_active_connections(1234567);
  return answer;
}

TEST(ServiceView, ListsServicesInTheLayoutOfIpvsadm) {
  EXPECT_EQ(render_services(two_services(), kPlain),
            R"(Prot LocalAddress:Port Scheduler Service Flags
  -> RemoteAddress:Port                Forward Weight ActiveConn InActConn Health
TCP  192.0.2.10:80 wrr web
TCP  [2001:db8::10]:80 wrr web
  -> 10.0.0.11:80                      Route      100          3        12 up
  -> [2001:db8:0:1::1234:5678:9abc]:80 Route        0          0         0 down, drained
UDP  192.0.2.53:53 rr dns sloppy-tcp
TCP  192.0.2.53:5353 rr dns sloppy-tcp
  -> 10.0.0.12:*                       Masq         1    1234567         0 unchecked
)");
}

TEST(ServiceView, PrintsDashesForCountsThatAreNotKnown) {
  auto answer = two_services();
  answer.set_counted(false);
  EXPECT_THAT(render_services(answer, kPlain),
              HasSubstr("Route      100          -         - up\n"));
}

TEST(ServiceView, ShowsAllOfOneService) {
  auto answer = two_services();
  answer.mutable_services()->RemoveLast();
  EXPECT_EQ(render_service_details(answer, kPlain), R"(service     web
state       1 of 2 servers up
listens on  TCP 192.0.2.10:80, TCP [2001:db8::10]:80
mode        dr
scheduler   wrr
no server   clients get a TCP reset or ICMP port unreachable
server down its connections are kept

Server                            Forward Weight Configured ActiveConn InActConn Health          For Last check
10.0.0.11:80                      Route      100        100          3        12 up            3m12s 200 OK in 3 ms
[2001:db8:0:1::1234:5678:9abc]:80 Route        0        100          0         0 down, drained    5s connect: connection refused

Prot LocalAddress:Port                 Conns InPkts OutPkts   InBytes OutBytes
  -> RemoteAddress:Port
TCP  192.0.2.10:80                        15    200       0 123456789        0
TCP  [2001:db8::10]:80
  -> 10.0.0.11:80                         15    200       0 123456789        0
  -> [2001:db8:0:1::1234:5678:9abc]:80     0      0       0         0        0
)");
}

TEST(ServiceView, ListsWhatIsSpecialOfAServiceAsFlags) {
  auto answer = two_services();
  auto& tun = *answer.mutable_services(1);
  tun.set_mode(ballast::api::TUN);
  tun.mutable_tunnel()->set_encapsulation(ballast::api::GUE);
  tun.set_mss_auto(true);
  tun.set_one_packet(true);
  answer.mutable_services(0)->set_mss(1440);
  const auto text = render_services(answer, kPlain);
  EXPECT_THAT(text, HasSubstr("TCP  192.0.2.10:80 wrr web mss-1440\n"));
  EXPECT_THAT(text, HasSubstr("UDP  192.0.2.53:53 rr dns gue mss-auto one-packet sloppy-tcp\n"));
  EXPECT_THAT(text, HasSubstr("10.0.0.12:*                       Tunnel"));
}

TEST(ServiceView, ShowsHowEachModeReachesItsServers) {
  api::ListServicesAnswer answer;
  auto& service = *answer.add_services();
  service.set_name("web");
  service.set_mode(ballast::api::FULLNAT);
  service.add_local_addresses("10.0.0.200-10.0.0.207");
  service.add_local_addresses("2001:db8::200");
  service.set_mss(1440);
  EXPECT_THAT(render_service_details(answer, kPlain),
              HasSubstr("mode        fullnat\n"
                        "local       10.0.0.200-10.0.0.207, 2001:db8::200\n"
                        "mss         SYNs announce at most 1440\n"));
  service.clear_local_addresses();
  service.set_mode(ballast::api::TUN);
  service.set_mss(0);
  service.set_mss_auto(true);
  service.set_one_packet(true);
  auto& tunnel = *service.mutable_tunnel();
  EXPECT_THAT(render_service_details(answer, kPlain),
              HasSubstr("mode        tun\n"
                        "tunnel      ipip, from the outgoing port's address\n"
                        "mss         SYNs announce at most what fits the way to the server\n"
                        "one packet  every UDP datagram is scheduled by itself\n"));
  tunnel.set_encapsulation(ballast::api::GUE);
  tunnel.set_gue_port(6080);
  tunnel.set_no_udp_checksum(true);
  tunnel.add_sources("10.0.0.200/29");
  tunnel.add_sources("2001:db8::/120");
  EXPECT_THAT(render_service_details(answer, kPlain),
              HasSubstr("tunnel      gue to port 6080, without UDP checksum over IPv6, from "
                        "10.0.0.200/29, 2001:db8::/120\n"));
}

TEST(ServiceView, LeavesServersWhoseCountersBeganAnewOutOfTheRates) {
  auto before = two_services();
  auto after = two_services();
  before.set_counted_at_ms(1000);
  after.set_counted_at_ms(1500);
  after.mutable_services(0)->mutable_servers(0)->mutable_counters()->set_packets_in(300);
  before.mutable_services(1)->mutable_servers(0)->mutable_counters()->set_packets_in(9);
  const auto report = rates(before, after);
  EXPECT_DOUBLE_EQ(report.seconds(), 0.5);
  EXPECT_DOUBLE_EQ(report.services(0).servers(0).packets_in(), 200);
  EXPECT_EQ(report.services(1).servers_size(), 0);
  EXPECT_EQ(rates(after, before).services(0).servers_size(), 0) << "time runs forward only";
}

api::StatusAnswer healthy() {
  api::StatusAnswer status;
  status.set_version("0.1.0");
  status.set_pid(4711);
  status.set_uptime_seconds(11520);
  auto& configuration = *status.mutable_configuration();
  configuration.set_file("/etc/ballast/ballast.toml");
  configuration.set_loaded_at(1772337906);
  configuration.set_loaded_seconds_ago(75);
  auto& dataplane = *status.mutable_dataplane();
  dataplane.set_connected(true);
  dataplane.set_in_sync(true);
  dataplane.set_socket("/run/ballast/dataplane.sock");
  dataplane.set_version("ballast-dataplane 0.1.0");
  dataplane.set_instance_id("c0ffee");
  dataplane.set_generation(7);
  dataplane.set_uptime_seconds(360000);
  dataplane.set_trusted_connections(400);
  dataplane.set_untrusted_connections(100);
  dataplane.set_connection_capacity(10000);
  dataplane.set_memory_bytes(268435456);
  auto& port = *dataplane.add_ports();
  port.mutable_info()->set_name("wan");
  port.mutable_info()->set_device("af_xdp:eth1");
  port.mutable_info()->set_mac("02:00:00:00:00:01");
  port.mutable_info()->set_up(true);
  port.mutable_info()->set_rx_queues(2);
  port.mutable_info()->set_steering("software");
  port.set_rx_packets_per_second(12345);
  auto& worker = *dataplane.add_workers();
  worker.set_polls(1000);
  worker.set_idle_polls(750);
  worker.set_packets(99);
  auto& web = *status.add_services();
  web.set_name("web");
  web.set_servers(3);
  web.set_servers_up(3);
  web.set_active_connections(42);
  return status;
}

TEST(StatusView, SaysOkAndWhatRuns) {
  EXPECT_EQ(render_status(healthy(), kPlain), R"(OK: 1 service, 3 of 3 servers up

ballastd      0.1.0, pid 4711, up 3h12m
configuration /etc/ballast/ballast.toml, loaded 1m15s ago (2026-03-01 04:05:06 UTC)
dataplane     ballast-dataplane 0.1.0, instance c0ffee, up 4d4h, generation 7
connections   400 trusted, 100 untrusted of 10000 (5 %, 256.0 MiB)
drops         none

Service Servers   ActiveConn
web     3 of 3 up         42

Port Device      Link MAC               Queues InPPS OutPPS Missed Errors Steering
wan  af_xdp:eth1 up   02:00:00:00:00:01      2 12345      -      0      0 software

Worker State Busy Packets HandedOver Fragments Trusted Untrusted LocalPorts Punted
     0 runs  25 %      99          0         0       0         0          0      0
)");
}

TEST(StatusView, SaysFirstWhatIsWrongWorstFirst) {
  auto status = healthy();
  status.mutable_services(0)->set_servers_up(1);
  auto& dns = *status.add_services();
  dns.set_name("dns");
  dns.set_servers(2);
  status.mutable_dataplane()->mutable_workers(0)->set_stalled(true);
  status.mutable_configuration()->set_last_reload(api::ConfigurationStatus::REFUSED);
  status.mutable_configuration()->set_last_reload_seconds_ago(300);
  status.mutable_configuration()->add_last_reload_errors("ballast.toml:14:13: port 70000");
  status.mutable_configuration()->add_last_reload_errors("another");
  EXPECT_THAT(render_status(status, kPlain), StartsWith(R"(OUTAGE: 2 services, 1 of 5 servers up
  OUTAGE   worker 0:      stalled: its share of the traffic is not forwarded
  OUTAGE   service dns:   0 of 2 servers up
  DEGRADED service web:   1 of 3 servers up
  DEGRADED configuration: reload refused 5m00s ago, the one before stays in force: ballast.toml:14:13: port 70000 (and 1 more)

ballastd )"));
}

TEST(StatusView, SaysThatAReloadIsNotConfirmed) {
  auto status = healthy();
  status.mutable_configuration()->set_last_reload(api::ConfigurationStatus::UNCONFIRMED);
  status.mutable_configuration()->set_last_reload_seconds_ago(5);
  status.mutable_configuration()->add_last_reload_errors("worker 2 has not taken it yet");
  const auto text = render_status(status, kPlain);
  EXPECT_THAT(text,
              HasSubstr("reload not confirmed 5s ago on every worker of the dataplane: worker "
                        "2 has not taken it yet"));
  EXPECT_THAT(text, HasSubstr("last reload NOT CONFIRMED 5s ago"));
}

TEST(StatusView, SaysThatTheDataplaneIsGoneAndNothingOldOfIt) {
  auto status = healthy();
  status.mutable_dataplane()->set_connected(false);
  status.mutable_dataplane()->set_disconnected_seconds(12);
  status.mutable_dataplane()->set_last_error("connect: Connection refused");
  const auto text = render_status(status, kPlain);
  EXPECT_THAT(text, StartsWith("OUTAGE: 1 service, 3 of 3 servers up\n"
                               "  OUTAGE dataplane: not connected for 12s: connect: Connection "
                               "refused\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("af_xdp:eth1")));
  EXPECT_THAT(text, HasSubstr("web     3 of 3 up          -\n"));
}

TEST(StatusView, SaysThatLocalPortsAreExhaustedWhileTheyAre) {
  auto status = healthy();
  auto& ports = *status.mutable_dataplane()->mutable_local_ports();
  ports.set_taken(900);
  ports.set_resting(50);
  ports.set_capacity(10000);
  ports.set_exhausted_drops(12);
  EXPECT_THAT(render_status(status, kPlain), StartsWith("OK: "));
  EXPECT_THAT(render_status(status, kPlain),
              HasSubstr("\nlocal ports   900 taken, 50 resting of 10000 (10 %)\n"));
  ports.set_exhausted_seconds_ago(3);
  EXPECT_THAT(render_status(status, kPlain),
              StartsWith("OUTAGE: 1 service, 3 of 3 servers up\n"
                         "  OUTAGE local ports: exhausted towards a server: 12 packets of new "
                         "connections dropped, the last 3s ago: give the fullnat services more "
                         "local_addresses\n"));
  ports.set_exhausted_seconds_ago(60);
  EXPECT_THAT(render_status(status, kPlain), StartsWith("OK: "));
  ports.set_taken(9000);
  EXPECT_THAT(
      render_status(status, kPlain),
      HasSubstr("DEGRADED local ports: 90 % of the room for them is in use: 9050 of 10000"));
  ports.set_no_room_drops(1);
  ports.set_no_room_seconds_ago(0);
  EXPECT_THAT(
      render_status(status, kPlain),
      HasSubstr("OUTAGE local ports: no room for more: 1 packet of new connections dropped, "
                "the last 0s ago: raise trusted in [connections] of dataplane.toml"));
}

api::ListPortsAnswer two_ports() {
  api::ListPortsAnswer answer;
  auto& wan = *answer.add_ports();
  auto& info = *wan.mutable_info();
  info.set_name("wan");
  info.set_device("0000:3b:00.0");
  info.set_mac("02:00:00:00:00:01");
  info.set_mtu(9000);
  info.set_up(true);
  info.set_vlan(100);
  info.set_rx_queues(2);
  info.set_tx_queues(2);
  info.set_steering("RSS by the NIC, with our key and indirection table");
  info.set_steering_nat("software: no rule of the device hashes the client alone");
  info.set_mac_filter("the device's list of addresses");
  info.add_offloads("IPv4 checksum");
  info.add_offloads("UDP checksum");
  wan.mutable_statistics()->set_rx_packets(1000);
  wan.mutable_statistics()->set_rx_bytes(1536);
  wan.mutable_statistics()->set_rx_missed(3);
  wan.set_rx_packets_per_second(12);
  auto& lan = *answer.add_ports();
  lan.mutable_info()->set_name("lan");
  lan.mutable_info()->set_device("af_packet:eth1");
  lan.mutable_info()->set_kernel_interface("eth1");
  lan.mutable_info()->set_mac("02:00:00:00:00:02");
  for (uint32_t i = 0; i < 2; ++i) {
    auto& worker = *answer.add_workers();
    worker.set_worker(i);
    worker.set_packets(200);
    worker.set_handed_over(50 * i);
    worker.set_handed_over_fragments(7);
    worker.set_fragments_held(i);
    worker.set_fragments_sent(12 * i);
  }
  return answer;
}

TEST(PortView, ShowsWhoSteersAndWhatIsHandedOver) {
  EXPECT_EQ(render_ports(two_ports(), kPlain), R"(port           wan
device         0000:3b:00.0
link           up
MAC            02:00:00:00:00:01
MAC filter     the device's list of addresses
MTU            9000
VLAN           100
queues         2 to receive, 2 to send
offloads       IPv4 checksum, UDP checksum
clients' flows RSS by the NIC, with our key and indirection table
replies        software: no rule of the device hashes the client alone
received       1000 packets (1.5 KiB), 12 per second
sent           0 packets (0 B)
lost           3 missed, 0 bad on receipt, 0 not sent

port           lan
device         af_packet:eth1, on the kernel's interface eth1
link           DOWN
MAC            02:00:00:00:00:02
MAC filter     not known
MTU            0
VLAN           untagged
queues         0 to receive, 0 to send
offloads       none: checksums are computed in software
clients' flows not known
replies        not known
received       0 packets (0 B)
sent           0 packets (0 B)
lost           0 missed, 0 bad on receipt, 0 not sent

handed over to the worker that owns the flow, of packets from all ports:
Worker Packets HandedOver Share Fragments Held Cut
     0     200          0   0 %         7    0   0
     1     200         50  25 %         7    1  12
)");
}

TEST(PortView, HasNoCountsWithoutTheDataplane) {
  auto answer = two_ports();
  answer.clear_workers();
  const auto text = render_ports(answer, kPlain);
  EXPECT_THAT(text, testing::Not(HasSubstr("received")));
  EXPECT_THAT(text, testing::Not(HasSubstr("handed over")));
  EXPECT_EQ(render_ports({}, kPlain), "the dataplane has no ports\n");
}

TEST(StatusView, DoesNotCallADrainedServerAFault) {
  auto status = healthy();
  status.mutable_services(0)->set_servers_up(2);
  status.mutable_services(0)->set_servers_overridden(1);
  EXPECT_THAT(render_status(status, kPlain),
              StartsWith("OK: 1 service, 2 of 3 servers up\n"
                         "  NOTE service web: 1 server drained or disabled by hand\n"));
}

TEST(StatusView, IsColouredOnlyWhereItIsWanted) {
  EXPECT_THAT(render_status(healthy(), kPlain), testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(render_status(healthy(), Style{true}), HasSubstr("\x1b[32mOK\x1b[0m"));
}

TEST(ConnectionView, KeepsItsColumnsOverPages) {
  ballast::api::Connections page;
  auto& connection = *page.add_connections();
  connection.set_protocol(ballast::api::TCP);
  connection.set_client("203.0.113.5");
  connection.set_client_port(40000);
  connection.set_vip("192.0.2.10");
  connection.set_vip_port(80);
  connection.set_server("10.0.0.11");
  connection.set_server_port(80);
  connection.set_state("FIN_WAIT");
  connection.set_expires_seconds(899);
  connection.set_trusted(true);
  connection.set_service("web");
  ConnectionView view(kPlain);
  EXPECT_EQ(view.page(page),
            "pro expire state       trusted source            virtual       local destination  "
            "service\n"
            "TCP  14:59 FIN_WAIT    yes     203.0.113.5:40000 192.0.2.10:80 -     10.0.0.11:80 "
            "web\n");
  page.mutable_connections(0)->set_client("1.1.1.1");
  EXPECT_EQ(view.page(page),
            "TCP  14:59 FIN_WAIT    yes     1.1.1.1:40000     192.0.2.10:80 -     10.0.0.11:80 "
            "web\n");
  EXPECT_EQ(view.end(), "");
  EXPECT_EQ(ConnectionView(kPlain).end(), "no connections\n");
}

TEST(ConnectionView, ShowsWhatStandsInTheClientsPlaceTowardsTheServer) {
  ballast::api::Connections page;
  auto& connection = *page.add_connections();
  connection.set_protocol(ballast::api::TCP);
  connection.set_client("2001:db8:1::5");
  connection.set_client_port(40000);
  connection.set_vip("2001:db8::10");
  connection.set_vip_port(80);
  connection.set_local("fd00:9::c0");
  connection.set_local_port(1025);
  connection.set_server("fd00:9::11");
  connection.set_server_port(8080);
  connection.set_state("NONE");
  EXPECT_THAT(ConnectionView(kPlain).page(page),
              HasSubstr(" [2001:db8::10]:80 [fd00:9::c0]:1025 [fd00:9::11]:8080\n"));
}

TEST(ListView, SortsDropsByCountAndHidesZeros) {
  api::DropsAnswer answer;
  for (const auto& [reason, packets] :
       {std::pair{"none", 99u}, {"no_service", 7u}, {"no_server", 0u}, {"not_syn", 1200u}}) {
    auto& drop = *answer.add_drops();
    drop.set_reason(reason);
    drop.set_meaning(std::string("what ") + reason + " means");
    drop.set_packets(packets);
  }
  EXPECT_EQ(render_drops(answer, false, kPlain),
            "Packets Reason     Meaning\n"
            "   1200 not_syn    what not_syn means\n"
            "      7 no_service what no_service means\n");
  EXPECT_THAT(render_drops(answer, true, kPlain), HasSubstr("      0 no_server "));
  EXPECT_EQ(render_drops({}, false, kPlain), "no packets were dropped\n");
}

TEST(ListView, ShowsChecks) {
  api::ChecksAnswer answer;
  auto& check = *answer.add_checks();
  check.set_service("web");
  check.set_address("10.0.0.11");
  check.set_port(80);
  check.set_health(ballast::api::DOWN);
  check.set_changed_seconds_ago(61);
  check.set_failures_in_row(7);
  check.set_fall(3);
  check.set_runs(100);
  check.set_failures(9);
  check.set_description("tcp :80, every 2s");
  check.set_last_result("connect: refused\x1b[2J");
  check.set_last_seconds_ago(1);
  EXPECT_EQ(render_checks(answer, kPlain),
            "Service Server       Health   For InRow   Runs Failed Check             Last result\n"
            "web     10.0.0.11:80 down   1m01s 7/3 bad  100      9 tcp :80, every 2s 1s ago: "
            "connect: refused?[2J\n");
}

TEST(ListView, ShowsAReloadAsItsChanges) {
  api::ReloadAnswer answer;
  answer.set_file("ballast.toml");
  EXPECT_EQ(render_reload(answer, kPlain), "ballast.toml: no change\n");
  auto& added = *answer.add_changes();
  added.set_kind(api::Change::ADDED);
  added.set_what("service \"dns\"");
  answer.set_dataplane_connected(true);
  answer.set_generation(8);
  answer.add_stalled_workers(1);
  EXPECT_EQ(render_reload(answer, kPlain),
            "+ service \"dns\"\n"
            "ballast.toml: 1 change loaded, generation 8; worker 1 has not confirmed: see "
            "ballastctl status\n");
}

TEST(Words, AreShortAndExact) {
  EXPECT_EQ(duration(0), "0s");
  EXPECT_EQ(duration(59), "59s");
  EXPECT_EQ(duration(60), "1m00s");
  EXPECT_EQ(duration(3600), "1h00m");
  EXPECT_EQ(duration(86400 * 400), "400d0h");
  EXPECT_EQ(bytes(1023), "1023 B");
  EXPECT_EQ(bytes(1536), "1.5 KiB");
  EXPECT_EQ(bytes(1048575), "1.0 MiB");
  EXPECT_EQ(expiry(7), "00:07");
  EXPECT_EQ(share(1, 0), "");
  EXPECT_EQ(forward_word(ballast::api::FULLNAT), "FullNat");
  EXPECT_EQ(forward_word(ballast::api::TUN), "Tunnel");
}

}  // namespace
}  // namespace ballast::control
