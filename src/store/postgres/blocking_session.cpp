#include "store/postgres/blocking_session.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace dg::store::postgres {
namespace {

constexpr auto connect_seconds = "10";
constexpr int binary = 1;
// What a cursor fetches at once: as many rows as take about that much memory, as far as the last ones tell.
constexpr std::int64_t first_fetch = 64;
constexpr std::int64_t largest_fetch = 2048;
constexpr std::int64_t fetched_bytes = std::int64_t{4} << 20;

std::string trimmed(const char* message) {
  std::string text(message == nullptr ? "" : message);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

bool is_good(const PGresult* result) {
  const auto status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

Failure failure_of(const PGconn* handle, const PGresult* result) {
  const auto field = [&](int code) { return trimmed(PQresultErrorField(result, code)); };
  Failure failure{PQstatus(handle) == CONNECTION_BAD, field(PG_DIAG_SQLSTATE),
                  field(PG_DIAG_MESSAGE_PRIMARY)};
  if (failure.message.empty()) failure.message = trimmed(PQerrorMessage(handle));
  return failure;
}

void ignore_notice(void* /*unused*/, const char* /*unused*/) {}

}  // namespace

Outcome<std::unique_ptr<BlockingSession>> BlockingSession::open(Conninfo conninfo) {
  if (value_of(conninfo, "connect_timeout").empty()) set_value(conninfo, "connect_timeout", connect_seconds);
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : conninfo) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<BlockingSession> session(
      new BlockingSession(PQconnectdbParams(keywords.data(), values.data(), 0)));
  if (PQstatus(session->handle_) != CONNECTION_OK)
    return fail_with({true, "", trimmed(PQerrorMessage(session->handle_))});
  PQsetNoticeProcessor(session->handle_, &ignore_notice, nullptr);
  session->run(
      "SELECT set_config('statement_timeout', '0', false), "
      "set_config('idle_in_transaction_session_timeout', '0', false)");
  if (session->failure_) return fail_with(*session->failure_);
  return session;
}

BlockingSession::~BlockingSession() {
  PQfinish(handle_);
}

Status BlockingSession::status() const {
  if (failure_) return fail(failure_->to_command_error());
  return {};
}

// Keeps the failure, if it is one.
Rows BlockingSession::take(pg_result* result) {
  Rows rows(result);
  if (is_good(result)) return rows;
  failure_ = failure_of(handle_, result);
  return {};
}

Rows BlockingSession::run(const std::string& sql) {
  if (failure_) return {};
  return take(PQexecParams(handle_, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, binary));
}

bool BlockingSession::prepare(std::string_view sql, const Params& params) {
  const auto [place, is_new] = prepared_.try_emplace(std::string(sql));
  if (!is_new) return true;
  place->second = fmt::format("s{}", next_number());
  take(PQprepare(handle_, place->second.c_str(), place->first.c_str(), params.count(), params.oids()));
  return !failure_;
}

Rows BlockingSession::run(std::string_view sql, const Params& params) {
  if (failure_ || !prepare(sql, params)) return {};
  const auto count = static_cast<std::size_t>(params.count());
  std::vector<const char*> values;
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) values.push_back(params.is_null(i) ? nullptr : params.at(i));
  const std::vector<int> formats(count, binary);
  const auto& name = prepared_.at(std::string(sql));
  return take(PQexecPrepared(handle_, name.c_str(), params.count(), values.data(), params.lengths(),
                             formats.data(), binary));
}

Cursor::Cursor(BlockingSession& session, std::string_view sql)
    : session_(session), name_(fmt::format("c{}", session.next_number())), at_once_(first_fetch) {
  session_.run(fmt::format("DECLARE {} NO SCROLL CURSOR FOR {}", name_, sql));
}

Cursor::~Cursor() {
  session_.run(fmt::format("CLOSE {}", name_));
}

bool Cursor::next() {
  if (rows_.next()) return true;
  if (ended_) return false;
  fetch();
  return rows_.next();
}

void Cursor::fetch() {
  rows_ = {};
  rows_ = session_.run(fmt::format("FETCH {} FROM {}", at_once_, name_));
  ended_ = rows_.size() < at_once_;
  if (ended_) return;
  const auto row_bytes = std::max<std::int64_t>(static_cast<std::int64_t>(rows_.bytes()) / rows_.size(), 1);
  at_once_ = std::clamp<std::int64_t>(fetched_bytes / row_bytes, 1, largest_fetch);
}

}  // namespace dg::store::postgres
