#include "dataplane/api/client.h"

#include <map>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <sys/un.h>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/api/frame_connection.h"
#include "dataplane/api/server.h"

namespace ballast::api {
namespace {

using UnixStream = boost::asio::local::stream_protocol;

// More than this waits for a dataplane that does not read: it hangs.
constexpr size_t kMaxOutgoingBytes = size_t{64} << 20;

std::string name_of_request(const ClientFrame& frame) {
  const auto* field = frame.GetDescriptor()->FindFieldByNumber(frame.request_case());
  return field == nullptr ? "request" : field->name();
}

}  // namespace

struct ContractClient::Implementation
    : std::enable_shared_from_this<ContractClient::Implementation> {
  struct Request {
    std::string name;
    OnAnswer on_answer;
    std::unique_ptr<boost::asio::steady_timer> timer;
  };

  Implementation(boost::asio::io_context& given_context, ClientCallbacks given)
      : context(given_context), callbacks(std::move(given)) {}

  // --- connecting
  void connect(const std::string& path, const Hello& hello, std::chrono::milliseconds deadline,
               OnHello on_hello) {
    ClientFrame frame;
    *frame.mutable_hello() = hello;
    frame.mutable_hello()->set_version(kContractVersion);
    const auto done = [self = weak_from_this(), path, on_hello = std::move(on_hello)](
                          const tl::expected<ServerFrame, std::string>& answer) {
      if (const auto alive = self.lock()) {
        alive->greeted(path, answer, on_hello);
      }
    };
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
      refuse(done, fmt::format("path of {} bytes: 1 to {} are possible", path.size(),
                               sizeof(sockaddr_un::sun_path) - 1));
      return;
    }
    // A unix socket connects at once or not at all.
    UnixStream::socket socket(context);
    boost::system::error_code error;
    socket.open(UnixStream(), error);
    if (!error) {
      socket.non_blocking(true, error);
    }
    if (!error) {
      socket.connect(UnixStream::endpoint(path), error);
    }
    if (error) {
      refuse(done, error.message());
      return;
    }
    connection = std::make_shared<FrameConnection>(std::move(socket), kMaxOutgoingBytes);
    connection->start(
        [self = weak_from_this(), this](std::string_view payload) {
          if (const auto alive = self.lock()) {
            received(payload);
          }
        },
        [self = weak_from_this(), this, which = connection.get()](const std::string& reason) {
          if (const auto alive = self.lock(); alive && connection.get() == which) {
            closed("the dataplane " + reason);
          }
        });
    request(frame, deadline, done);
  }

  void greeted(const std::string& path, const tl::expected<ServerFrame, std::string>& answer,
               const OnHello& on_hello) {
    if (answer && answer->has_hello() && answer->hello().version() == kContractVersion) {
      greeted_well = true;
      on_hello(answer->hello());
      return;
    }
    std::string why = answer ? "its answer to Hello is of another version" : answer.error();
    drop_connection();
    on_hello(tl::unexpected(fmt::format("dataplane at {}: {}", path, why)));
  }

  // --- requests
  void request(const ClientFrame& given, std::chrono::milliseconds deadline, OnAnswer on_answer) {
    if (connection == nullptr) {
      refuse(std::move(on_answer), "not connected to the dataplane");
      return;
    }
    ClientFrame frame = given;
    frame.set_id(++last_id);
    if (const auto sent = connection->send(frame); !sent) {
      refuse(std::move(on_answer), sent.error());
      return;
    }
    auto timer = std::make_unique<boost::asio::steady_timer>(context, deadline);
    timer->async_wait([self = weak_from_this(), id = last_id,
                       deadline](const boost::system::error_code& cancelled) {
      const auto alive = self.lock();
      if (!cancelled && alive) {
        alive->expired(id, deadline);
      }
    });
    requests.emplace(last_id,
                     Request{name_of_request(frame), std::move(on_answer), std::move(timer)});
  }

  void refuse(OnAnswer on_answer, const std::string& reason) {
    boost::asio::post(context, [self = weak_from_this(), on_answer = std::move(on_answer), reason] {
      if (!self.expired()) {
        on_answer(tl::unexpected(reason));
      }
    });
  }

  void expired(uint64_t id, std::chrono::milliseconds deadline) {
    answer(id, [deadline](const std::string& name) {
      return tl::unexpected(fmt::format("{}: no answer within {} ms", name, deadline.count()));
    });
  }

  // Calls back the request of this id, if it still waits.
  template <typename Result>
  void answer(uint64_t id, const Result& result_for) {
    auto node = requests.extract(id);
    if (!node.empty()) {
      node.mapped().timer.reset();
      node.mapped().on_answer(result_for(node.mapped().name));
    }
  }

  // --- what arrives
  void received(std::string_view payload) {
    ServerFrame frame;
    if (const auto parsed = parse_message(payload, frame); !parsed) {
      connection->close("sent nonsense: " + parsed.error());
    } else if (frame.id() > last_id) {
      connection->close(fmt::format("answered request {}, which was never sent", frame.id()));
    } else if (frame.id() == 0) {
      event(frame);
    } else if (frame.has_failure()) {
      answer(frame.id(), [&frame](const std::string& name) {
        return tl::unexpected(name + ": " + frame.failure().message());
      });
    } else {
      answer(frame.id(), [&frame](const std::string&) {
        return tl::expected<ServerFrame, std::string>(std::move(frame));
      });
    }
  }

  void event(const ServerFrame& frame) {
    if (frame.has_failure()) {  // about the connection as a whole
      connection->close("refused: " + frame.failure().message());
    } else if (greeted_well && callbacks.on_event) {
      callbacks.on_event(frame);
    }
  }

  // --- the end
  void closed(const std::string& reason) {
    const bool had_been_made = greeted_well;
    fail_all(reason);
    // A callback may have connected anew: what ended is over all the same, but is nobody's news any
    // more.
    if (had_been_made && connection == nullptr && callbacks.on_disconnect) {
      callbacks.on_disconnect(reason);
    }
  }

  void fail_all(const std::string& reason) {
    drop_connection();
    for (auto failed = std::exchange(requests, {}); auto& [id, request] : failed) {
      request.on_answer(tl::unexpected(reason));
    }
  }

  void disconnect(const std::string& reason) {
    drop_connection();
    for (auto failed = std::exchange(requests, {}); auto& [id, request] : failed) {
      refuse(std::move(request.on_answer), reason);
    }
  }

  void drop_connection() {
    if (connection != nullptr) {
      connection->abandon();
      connection.reset();
    }
    greeted_well = false;
  }

  boost::asio::io_context& context;
  ClientCallbacks callbacks;
  std::shared_ptr<FrameConnection> connection;
  bool greeted_well = false;
  uint64_t last_id = 0;
  std::map<uint64_t, Request> requests;
};

ContractClient::ContractClient(boost::asio::io_context& context, ClientCallbacks callbacks)
    : implementation_(std::make_shared<Implementation>(context, std::move(callbacks))) {}

ContractClient::~ContractClient() {
  implementation_->drop_connection();
}

void ContractClient::connect(const std::string& path, const Hello& hello,
                             std::chrono::milliseconds deadline, OnHello on_hello) {
  implementation_->disconnect("connecting anew");
  implementation_->connect(path, hello, deadline, std::move(on_hello));
}

void ContractClient::request(const ClientFrame& frame, std::chrono::milliseconds deadline,
                             OnAnswer on_answer) {
  if (!connected()) {
    implementation_->refuse(std::move(on_answer), "not connected to the dataplane");
    return;
  }
  implementation_->request(frame, deadline, std::move(on_answer));
}

void ContractClient::disconnect(const std::string& reason) {
  implementation_->disconnect(reason);
}

bool ContractClient::connected() const {
  return implementation_->greeted_well;
}

}  // namespace ballast::api
