#include "dataplane/dpdk/listing.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace ballast
