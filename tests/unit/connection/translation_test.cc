#include "dataplane/connection/translation.h"

#include <random>

#include <gtest/gtest.h>

#include "dataplane/packet/tcp_flags.h"
#include "tests/unit/connection/flows.h"

namespace ballast {
namespace {

constexpr uint32_t kTimeWait = 60;

Connection tcp_connection(Seconds32 last_seen) {
  Connection connection;
  connection.key = flow(2);
  connection.last_seen = last_seen;
  return connection;
}

TEST(TranslationRecord, TheClientHasAcknowledgedTheServerFromItsSynToOneWindowBehindIt) {
  for (const uint32_t start : {0U, 1000U, UINT32_MAX - 2, UINT32_MAX}) {
    for (const auto& [behind_syn, expected] :
         {std::pair{0U, true}, {1U, true}, {65535U, true}, {65536U, false}, {UINT32_MAX, false}}) {
      TranslationRecord translation;
      note_server_segment(translation, kSyn | kAck, start);
      EXPECT_EQ(note_client_acknowledgement(translation, start + 1 + behind_syn), expected)
          << start << " + 1 + " << behind_syn;
    }
  }
}

TEST(TranslationRecord, NoNumberAcknowledgesAServerThatHasSaidNothing) {
  TranslationRecord translation;
  EXPECT_FALSE(note_client_acknowledgement(translation, 0));
  EXPECT_FALSE(note_client_acknowledgement(translation, 1));
  note_server_segment(translation, kRst, 0);  // which answers a segment without ACK
  EXPECT_FALSE(note_client_acknowledgement(translation, 0));
  EXPECT_FALSE(note_client_acknowledgement(translation, 1));
}

TEST(TranslationRecord, OnceAcknowledgedItStaysSoHoweverFarTheConnectionGoes) {
  TranslationRecord translation;
  note_server_segment(translation, kSyn | kAck, 5000);
  ASSERT_TRUE(note_client_acknowledgement(translation, 5001));
  for (uint32_t ack = 5001; ack < 4'000'000'000; ack += 100'000'000) {
    EXPECT_TRUE(note_client_acknowledgement(translation, ack));
  }
  note_server_segment(translation, kSyn | kAck, 77);  // an old one, late
  EXPECT_EQ(translation.server_next_sequence, 5001U);
  EXPECT_TRUE(note_client_acknowledgement(translation, 1));
}

TEST(TranslationRecord, ASynWithAnotherSequenceBeginsAnewUntilTheClientHasAcknowledged) {
  TranslationRecord translation;
  note_server_segment(translation, kSyn | kAck, 5000);
  note_server_segment(translation, kSyn | kAck, 9'000'000);
  EXPECT_FALSE(note_client_acknowledgement(translation, 5001));
  EXPECT_TRUE(note_client_acknowledgement(translation, 9'000'001));
}

TEST(TranslationRecord, MetInItsMiddleTheServersHalfBeginsWithTheFirstSegmentSeen) {
  TranslationRecord translation;
  note_server_segment(translation, kAck, 700);
  note_server_segment(translation, kAck | kPsh, 100'000);
  EXPECT_EQ(translation.server_next_sequence, 700U);
  EXPECT_FALSE(note_client_acknowledgement(translation, 699));
  EXPECT_TRUE(note_client_acknowledgement(translation, 700));
}

TEST(PortRest, IsLongForAConnectionThatBothSidesAgreedOnAndEndedJustNow) {
  TranslationRecord established;
  note_server_segment(established, kSyn | kAck, 1);
  ASSERT_TRUE(note_client_acknowledgement(established, 2));
  const Connection connection = tcp_connection(1000);
  EXPECT_EQ(rest_of(connection, established, 1000, kTimeWait), PortRest::kTimeWait);
  EXPECT_EQ(rest_of(connection, established, 1060, kTimeWait), PortRest::kTimeWait);
  EXPECT_EQ(rest_of(connection, established, 1061, kTimeWait), PortRest::kShort);
}

TEST(PortRest, IsShortWhereTheServerCannotBeInTimeWait) {
  const Connection connection = tcp_connection(1000);
  TranslationRecord half_open;
  note_server_segment(half_open, kSyn | kAck, 1);
  EXPECT_EQ(rest_of(connection, half_open, 1000, kTimeWait), PortRest::kShort);
  EXPECT_EQ(rest_of(connection, TranslationRecord{}, 1000, kTimeWait), PortRest::kShort);
  TranslationRecord reset;
  note_server_segment(reset, kSyn | kAck, 1);
  ASSERT_TRUE(note_client_acknowledgement(reset, 2));
  note_server_segment(reset, kRst, 2);
  EXPECT_EQ(rest_of(connection, reset, 1000, kTimeWait), PortRest::kShort);
  Connection datagrams = connection;
  datagrams.key.protocol = IpProtocol::kUdp;
  EXPECT_EQ(rest_of(datagrams, TranslationRecord{}, 1000, kTimeWait), PortRest::kShort);
}

TEST(PortRest, IsLongForAServerThatClosedWhateverTheClientWasSeenToDo) {
  TranslationRecord closed;
  note_server_segment(closed, kSyn | kAck, 1);
  note_server_segment(closed, kFin | kAck, 2);
  EXPECT_EQ(rest_of(tcp_connection(1000), closed, 1000, kTimeWait), PortRest::kTimeWait);
}

}  // namespace
}  // namespace ballast
