#include "control/ctl/paged_answers.h"

#include <utility>

namespace ballast::control {
namespace {

constexpr int kAttempts = 5;

void append(api::ListServicesAnswer& all, api::ListServicesAnswer& page) {
  int from = 0;
  // A service that did not fit goes on in the next page, with the rest of its servers.
  if (all.services_size() > 0 && page.services_size() > 0 &&
      all.services(all.services_size() - 1).name() == page.services(0).name()) {
    auto& servers = *all.mutable_services(all.services_size() - 1)->mutable_servers();
    for (auto& server : *page.mutable_services(0)->mutable_servers()) {
      *servers.Add() = std::move(server);
    }
    from = 1;
  }
  for (int i = from; i < page.services_size(); ++i) {
    *all.add_services() = std::move(*page.mutable_services(i));
  }
  all.set_counted(all.counted() && page.counted());
}

void append(api::ChecksAnswer& all, api::ChecksAnswer& page) {
  for (auto& check : *page.mutable_checks()) {
    *all.add_checks() = std::move(check);
  }
}

bool is_changed_meanwhile(const ClientError& error) {
  return error.kind == ClientError::Kind::kFailure && error.failure.code() == api::Failure::BUSY;
}

// `ask_page` asks for the page at a cursor.
template <class AnswerOf, class AskPage>
tl::expected<AnswerOf, ClientError> join_pages(AskPage ask_page) {
  for (int attempt = 1;; ++attempt) {
    auto all = ask_page(std::string());
    if (!all) {
      return all;
    }
    std::string cursor = all->next_cursor();
    bool begins_anew = false;
    while (!cursor.empty() && !begins_anew) {
      auto page = ask_page(cursor);
      if (!page) {
        if (attempt == kAttempts || !is_changed_meanwhile(page.error())) {
          return page;
        }
        begins_anew = true;
        continue;
      }
      if (page->next_cursor() == cursor) {
        return tl::unexpected(ClientError{
            ClientError::Kind::kBroken, "ballastd gives the same page again and again", {}});
      }
      cursor = page->next_cursor();
      append(*all, *page);
    }
    if (!begins_anew) {
      all->clear_next_cursor();
      return all;
    }
  }
}

}  // namespace

tl::expected<api::ListServicesAnswer, ClientError> list_services(Session& session,
                                                                 const std::string& name) {
  return join_pages<api::ListServicesAnswer>(
      [&](const std::string& cursor) -> tl::expected<api::ListServicesAnswer, ClientError> {
        api::Request request;
        request.mutable_list_services()->set_name(name);
        request.mutable_list_services()->set_paged(true);
        request.mutable_list_services()->set_cursor(cursor);
        auto answer = session.ask(std::move(request));
        if (!answer) {
          return tl::unexpected(answer.error());
        }
        return std::move(*answer->mutable_list_services());
      });
}

tl::expected<api::ChecksAnswer, ClientError> list_checks(Session& session) {
  return join_pages<api::ChecksAnswer>(
      [&](const std::string& cursor) -> tl::expected<api::ChecksAnswer, ClientError> {
        api::Request request;
        request.mutable_checks()->set_paged(true);
        request.mutable_checks()->set_cursor(cursor);
        auto answer = session.ask(std::move(request));
        if (!answer) {
          return tl::unexpected(answer.error());
        }
        return std::move(*answer->mutable_checks());
      });
}

}  // namespace ballast::control
