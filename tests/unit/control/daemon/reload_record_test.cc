#include "control/daemon/reload_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ballast::control {
namespace {

using api::ConfigurationStatus;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Verdict = DataplaneLink::Verdict;

const ReloadRecord::Time kNow{std::chrono::hours(1)};
const Verdict kAccepted{true, 5, {}, {}, {}};
const Verdict kStalled{true, 5, {}, {}, {2}};
const Verdict kRefused{true, 5, {"service \"web\": no"}, {"service \"web\""}, {}};

ConfigurationStatus status_of(const ReloadRecord& record) {
  ConfigurationStatus status;
  record.fill(kNow + std::chrono::seconds(3), status);
  return status;
}

TEST(ReloadRecord, SaysNothingBeforeTheFirstReload) {
  ReloadRecord record;
  record.on_transaction(kAccepted);
  record.on_transaction(kRefused);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::NEVER);
}

TEST(ReloadRecord, TakesAReloadAsAcceptedOnlyWhenEveryWorkerRunsOnIt) {
  ReloadRecord record;
  record.taken(kNow, kAccepted);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::ACCEPTED);
  EXPECT_EQ(status_of(record).last_reload_seconds_ago(), 3U);
  record.on_transaction(kStalled);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::ACCEPTED) << "of another change";
  record.taken(kNow, kStalled);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::UNCONFIRMED);
  EXPECT_THAT(status_of(record).last_reload_errors(), ElementsAre("worker 2 has not taken it yet"));
  record.on_transaction(kStalled);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::UNCONFIRMED);
  record.on_transaction(kAccepted);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::ACCEPTED);
  EXPECT_THAT(status_of(record).last_reload_errors(), IsEmpty());
}

TEST(ReloadRecord, WaitsForADataplaneThatIsNotThere) {
  ReloadRecord record;
  record.taken(kNow, Verdict{});
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::UNCONFIRMED);
  EXPECT_THAT(status_of(record).last_reload_errors(), ElementsAre(HasSubstr("not connected")));
  record.on_transaction(kRefused);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::UNCONFIRMED);
  EXPECT_THAT(status_of(record).last_reload_errors(),
              ElementsAre("the dataplane refuses it: service \"web\": no"));
  record.on_transaction(kAccepted);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::ACCEPTED);
}

TEST(ReloadRecord, LeavesARefusalUntilTheNextReload) {
  ReloadRecord record;
  record.refused(kNow, {"b.toml:1:1: wrong"});
  record.on_transaction(kAccepted);
  EXPECT_EQ(status_of(record).last_reload(), ConfigurationStatus::REFUSED);
  EXPECT_THAT(status_of(record).last_reload_errors(), ElementsAre("b.toml:1:1: wrong"));
}

}  // namespace
}  // namespace ballast::control
