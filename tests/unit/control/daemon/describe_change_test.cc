#include "control/daemon/describe_change.h"

#include <gtest/gtest.h>

namespace ballast::control {
namespace {

TEST(DescribeChange, OfAnAttributeSaysWhatItWasAndWillBe) {
  const api::Change change = describe({.kind = Change::Kind::kChanged,
                                       .subject = "service \"web\"",
                                       .attribute = "scheduler",
                                       .before = "rr",
                                       .after = "wrr",
                                       .facts = {}});
  EXPECT_EQ(change.kind(), api::Change::CHANGED);
  EXPECT_EQ(change.what(), "service \"web\": scheduler");
  EXPECT_EQ(change.from(), "rr");
  EXPECT_EQ(change.to(), "wrr");
}

TEST(DescribeChange, OfAWholeSubjectSaysWhatItHasBeyondTheDefaults) {
  Configuration from;
  Configuration to;
  ServiceSettings service;
  service.name = "web";
  service.scheduler = "rr";
  service.listeners = {{IpProtocol::kTcp, *IpAddress::parse("192.0.2.10"), 80}};
  to.services.push_back(service);
  bool found = false;
  for (const auto& [older, newer, kind] :
       {std::tuple(from, to, api::Change::ADDED), std::tuple(to, from, api::Change::REMOVED)}) {
    for (const Change& each : diff(older, newer)) {
      const api::Change change = describe(each);
      EXPECT_EQ(change.kind(), kind);
      if (change.what() == "service \"web\"") {
        const bool added = kind == api::Change::ADDED;
        EXPECT_NE((added ? change.to() : change.from()).find("scheduler rr"), std::string::npos);
        EXPECT_EQ(added ? change.from() : change.to(), "");
        found = true;
      }
    }
  }
  EXPECT_TRUE(found);
}

TEST(DescribeChange, IsEmptyWhereNothingChanges) {
  EXPECT_TRUE(diff(Configuration{}, Configuration{}).empty());
}

}  // namespace
}  // namespace ballast::control
