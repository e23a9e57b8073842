#include "healthcheck/socket_error.h"

#include <cerrno>

#include <gmock/gmock.h>

namespace ballast::healthcheck {
namespace {

TEST(SocketError, HoldsNothingOfOurOwnAgainstAServer) {
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC, EADDRNOTAVAIL, EADDRINUSE,
                          EAGAIN, EPERM, EAFNOSUPPORT}) {
    EXPECT_EQ(result_of_socket_error(error, "").verdict, Verdict::kInconclusive) << error;
  }
  EXPECT_EQ(result_of_socket_error(EMFILE, "").text, "could not check: too many open files");
  EXPECT_EQ(result_of_socket_error(EADDRNOTAVAIL, "").text,
            "could not check: no local address or port is free");
}

TEST(SocketError, TakesWhatTheNetworkSaysForEvidence) {
  for (const int error : {ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EPIPE,
                          EACCES, EINVAL, EHOSTDOWN, ENETDOWN}) {
    EXPECT_EQ(result_of_socket_error(error, "").verdict, Verdict::kUnhealthy) << error;
  }
  EXPECT_EQ(result_of_socket_error(ECONNREFUSED, "").text, "connection refused");
  EXPECT_EQ(result_of_socket_error(EHOSTUNREACH, "").text, "no route to host");
  EXPECT_EQ(result_of_socket_error(ENETUNREACH, "").text, "network is unreachable");
  EXPECT_EQ(result_of_socket_error(ECONNRESET, "waiting for the response header").text,
            "connection reset by the server while waiting for the response header");
}

}  // namespace
}  // namespace ballast::healthcheck
