#include "dataplane/api/unix_listener.h"

#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/api/temporary_folder.h"

namespace ballast::api {
namespace {

using ::testing::HasSubstr;

class DeadSocket : public ::testing::Test {
 protected:
  // A listening socket; closing it leaves its file behind, as a killed process does.
  [[nodiscard]] int listen_on_path() const {
    const int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(descriptor, 1), 0);
    return descriptor;
  }
  [[nodiscard]] bool is_there() const {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
  }
  [[nodiscard]] std::string why() const {
    const auto removed = remove_dead_socket(path);
    return removed ? "" : removed.error();
  }

  test::TemporaryFolder folder;
  std::string path = folder.file("vhost.sock");
};

TEST_F(DeadSocket, IsRemoved) {
  close(listen_on_path());
  ASSERT_TRUE(is_there());
  EXPECT_EQ(why(), "");
  EXPECT_FALSE(is_there());
}

TEST_F(DeadSocket, NeedNotBeThere) {
  EXPECT_EQ(why(), "");
}

TEST_F(DeadSocket, IsNoneWhileAProcessListens) {
  const int descriptor = listen_on_path();
  EXPECT_THAT(why(), HasSubstr("another process listens on it"));
  EXPECT_TRUE(is_there());
  close(descriptor);
}

TEST_F(DeadSocket, IsNoFileOfAnotherKind) {
  std::ofstream(path) << "precious";
  EXPECT_THAT(why(), HasSubstr("something that is not a socket"));
  EXPECT_TRUE(is_there());
  unlink(path.c_str());
  ASSERT_EQ(symlink("/dev/null", path.c_str()), 0);
  EXPECT_THAT(why(), HasSubstr("something that is not a socket"));
  EXPECT_TRUE(is_there());
}

TEST_F(DeadSocket, HasAPathThatASocketCanHave) {
  path = "";
  EXPECT_THAT(why(), HasSubstr("path of 0 bytes"));
  path = folder.file(std::string(108, 's'));
  EXPECT_THAT(why(), HasSubstr("1 to 107 are possible"));
}

}  // namespace
}  // namespace ballast::api
