#include "dataplane/dpdk/listing.h"

#include <gtest/gtest.h>

#include "dataplane/dpdk/connection_listing.h"

namespace ballast {
namespace {

TEST(ListingCursor, SurvivesTheWayThroughText) {
  for (const ListingCursor& cursor :
       {ListingCursor{0, 0}, ListingCursor{3, 17}, ListingCursor{65535, 4294967295U}}) {
    const auto parsed = parse_listing_cursor(to_string(cursor));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->worker, cursor.worker);
    EXPECT_EQ(parsed->position, cursor.position);
  }
  EXPECT_EQ(parse_listing_cursor("")->position, 0U);
}

TEST(ListingCursor, IsNothingElse) {
  for (const char* text :
       {":", "1", "1:", ":1", "a:1", "1:b", "1:1 ", "1:1:1", "65536:0", "0:4294967296", "-1:0"}) {
    EXPECT_FALSE(parse_listing_cursor(text)) << text;
  }
}

TEST(ConnectionFilter, TakesAddressesAndPrefixesAndNamesTheFieldThatIsWrong) {
  api::ListConnections request;
  EXPECT_FALSE(to_filter(request)->client);
  request.set_client("198.51.100.0/24");
  request.set_vip("2001:db8::10");
  request.set_vip_port(80);
  request.set_server("10.0.0.11");
  request.set_protocol(api::UDP);
  const auto filter = to_filter(request);
  ASSERT_TRUE(filter) << filter.error();
  EXPECT_EQ(filter->client, Prefix::parse("198.51.100.0/24"));
  EXPECT_EQ(filter->vip, IpAddress::parse("2001:db8::10"));
  EXPECT_EQ(filter->vip_port, Big16::from_host(80));
  EXPECT_EQ(filter->server, Prefix::parse("10.0.0.11"));
  EXPECT_EQ(filter->protocol, IpProtocol::kUdp);

  api::ListConnections wrong = request;
  wrong.set_client("10.0.0.300");
  EXPECT_EQ(to_filter(wrong).error(), "client: \"10.0.0.300\" is not an address or a prefix");
  wrong = request;
  wrong.set_vip("192.0.2.0/24");
  EXPECT_EQ(to_filter(wrong).error(), "vip: \"192.0.2.0/24\" is not an address");
  wrong = request;
  wrong.set_vip_port(65536);
  EXPECT_NE(to_filter(wrong).error().find("vip_port"), std::string::npos);
}

// Of each mode one connection: without a record, with NAT's, with FULLNAT's.
TEST(LocalEnd, IsWhatStandsInTheClientsPlaceInFullNatOnly) {
  const auto address = [](const char* text) { return *IpAddress::parse(text); };
  const std::vector<IpAddress> locals{address("10.0.0.200"), address("10.0.0.201")};
  ConnectionTable table(
      {.trusted = 10, .untrusted = 10, .translations = true}, FlowHashKey{},
      [](const Connection&) { return 100U; }, [](const Connection&, ConnectionEnd) {});
  uint16_t port = 40000;
  const auto open = [&] {
    return table.insert({.client = address("198.51.100.7"),
                         .vip = address("192.0.2.10"),
                         .client_port = Big16::from_host(port++),
                         .vip_port = Big16::from_host(80),
                         .protocol = IpProtocol::kTcp},
                        1);
  };
  const auto key_of = [&](const Connection& connection, const TranslationRecord&) {
    return ReturnKey::of({address("10.0.0.11"), Big16::from_host(80), IpProtocol::kTcp},
                         connection.key.client, connection.key.client_port);
  };
  EXPECT_EQ(local_end_of(*open(), table, locals), std::nullopt);
  Connection& nat = *open();
  ASSERT_EQ(table.translations()->insert(nat, {}, key_of), ReturnInsert::kInserted);
  EXPECT_EQ(local_end_of(nat, table, locals), std::nullopt);
  Connection& full_nat = *open();
  TranslationRecord record;
  record.local = {LocalAddressIndex{1}, Big16::from_host(1024), LocalPortLane{1}};
  ASSERT_EQ(table.translations()->insert(full_nat, record, key_of), ReturnInsert::kInserted);
  EXPECT_EQ(local_end_of(full_nat, table, locals),
            (LocalEnd{address("10.0.0.201"), Big16::from_host(1024)}));
}

}  // namespace
}  // namespace ballast
