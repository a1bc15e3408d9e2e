#include "store/postgres/connection.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.hpp"
#include "store/postgres/hosts.hpp"

namespace dg::store::postgres {
namespace {

namespace asio = boost::asio;
constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});

std::string trimmed(const char* message) {
  std::string text(message == nullptr ? "" : message);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

Failure failure_of(const pg_result* result) {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text == nullptr ? "" : text);
  };
  Failure failure{false, field(PG_DIAG_SQLSTATE), field(PG_DIAG_MESSAGE_PRIMARY)};
  if (failure.message.empty()) failure.message = trimmed(PQresultErrorMessage(result));
  if (const auto detail = field(PG_DIAG_MESSAGE_DETAIL); !detail.empty())
    failure.message += " (" + detail + ")";
  return failure;
}

// libpq would write to standard error by itself.
void log_notice(void* /*unused*/, const char* message) {
  log::info("the database says: {}", trimmed(message));
}

bool is_error(const pg_result* result) {
  const auto status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

}  // namespace

// Gives up a connection that does not answer: whoever waits on its socket is woken.
class Connection::Deadline {
 public:
  Deadline(Connection& connection, Duration duration) : timers_(connection.timers_) {
    auto when = timers_.now() + duration;
    if (connection.give_up_at_) when = std::min(when, *connection.give_up_at_);
    timer_ = timers_.call_at(when, [&connection] {
      connection.late_ = true;
      connection.socket_.cancel();
    });
  }
  ~Deadline() { timers_.cancel(timer_); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  Timers& timers_;
  Timers::Id timer_ = 0;
};

Connection::Connection(Timers& timers, pg_conn* handle, Duration patience)
    : timers_(timers), handle_(handle), socket_(timers.executor(), PQsocket(handle)), patience_(patience) {}

Connection::~Connection() {
  socket_.release();  // libpq closes it
  PQfinish(handle_);
}

// libpq may change the socket from one step to the next, so each wait has a descriptor of its own.
Task<bool> Connection::poll_until_connected(Timers& timers, pg_conn* handle, SteadyTime deadline) {
  auto step = PGRES_POLLING_WRITING;
  while (step != PGRES_POLLING_OK) {
    if (step == PGRES_POLLING_FAILED || timers.now() >= deadline) co_return false;
    Socket socket(timers.executor(), PQsocket(handle));
    const auto timer = timers.call_at(deadline, [&socket] { socket.cancel(); });
    co_await socket.async_wait(step == PGRES_POLLING_READING ? Socket::wait_read : Socket::wait_write,
                               use_tuple);
    timers.cancel(timer);
    socket.release();
    step = PQconnectPoll(handle);
  }
  co_return true;
}

Task<Outcome<std::unique_ptr<Connection>>> Connection::open(Timers& timers, ConnectOptions options) {
  const auto deadline = timers.now() + options.connect_deadline;
  const auto patience = options.statement_timeout + time_of_small_questions;
  const auto places = co_await places_of(timers, options.conninfo);
  if (!places) co_return fail_with({true, "", places.error()});
  std::vector<Failure> failures;
  for (std::size_t i = 0; i < places->size(); ++i) {
    // A host that is silent leaves time for those behind it.
    const auto left = static_cast<std::int64_t>(places->size() - i);
    const auto until = timers.now() + (deadline - timers.now()) / left;
    auto connection = co_await open_at(timers, (*places)[i], until, patience);
    if (connection) {
      auto configured = co_await (*connection)->configure(options, deadline);
      if (configured) co_return connection;
      failures.push_back(std::move(configured.error()));
    } else {
      failures.push_back(std::move(connection.error()));
    }
  }
  co_return fail_with(joined(failures));
}

Task<Outcome<std::unique_ptr<Connection>>> Connection::open_at(Timers& timers, const Conninfo& conninfo,
                                                               SteadyTime deadline, Duration patience) {
  // Of what is named twice the last counts. A peer that went without a word is missed within half a minute.
  std::vector<const char*> keywords{"keepalives_idle", "keepalives_interval", "keepalives_count",
                                    "tcp_user_timeout"};
  std::vector<const char*> values{"10", "5", "3", "20000"};
  for (const auto& [keyword, value] : conninfo) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<pg_conn, decltype(&PQfinish)> handle(
      PQconnectStartParams(keywords.data(), values.data(), 0), &PQfinish);
  if (!handle) co_return fail_with({true, "", "libpq has no memory for a connection"});
  PQsetNoticeProcessor(handle.get(), &log_notice, nullptr);
  PQsetErrorVerbosity(handle.get(), PQERRORS_VERBOSE);  // for connect_failure()
  if (PQstatus(handle.get()) == CONNECTION_BAD ||
      !co_await poll_until_connected(timers, handle.get(), deadline))
    co_return fail_with(connect_failure(handle.get(), timers.now() >= deadline));
  PQsetErrorVerbosity(handle.get(), PQERRORS_DEFAULT);
  PQsetnonblocking(handle.get(), 1);
  PQenterPipelineMode(handle.get());
  co_return std::unique_ptr<Connection>(new Connection(timers, handle.release(), patience));
}

// What every session has. A statement is planned once and not for each of its parameters: planning takes
// longer than the work, and comes to the same (Snapshot::plan_for_values is for those where it does not). A
// plan is kept while its tables grow, and of an empty table the planner reads all rows and hashes them;
// whatever is asked for here has an index, so plans go by indexes from the beginning. Compiling a plan, which
// the planner chooses by guesses, takes longer than any statement.
Task<Outcome<std::vector<Rows>>> Connection::configure(const ConnectOptions& options, SteadyTime deadline) {
  Pipeline pipeline;
  pipeline.add(
      "SELECT set_config('statement_timeout', $1, false), "
      "set_config('idle_in_transaction_session_timeout', $2, false), "
      "set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), "
      "set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '20000', false), "
      "set_config('client_min_messages', 'warning', false), set_config('jit', 'off', false), "
      "set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', "
      "false), "
      "set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false)",
      std::to_string(options.statement_timeout.count()),
      std::to_string(options.idle_in_transaction_timeout.count()));
  co_return co_await run(std::move(pipeline), deadline - timers_.now());
}

bool Connection::in_transaction() const {
  const auto status = PQtransactionStatus(handle_);
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

int Connection::server_version() const {
  return PQserverVersion(handle_);
}

int Connection::backend_pid() const {
  return PQbackendPID(handle_);
}

// What the server said before it went is the best reason there is.
Failure Connection::lose(std::optional<Failure> said) {
  lost_ = true;
  if (said && !said->sqlstate.empty()) {
    said->lost = true;
    return std::move(*said);
  }
  if (late_) return {true, "", "the database did not answer in time"};
  auto message = trimmed(PQerrorMessage(handle_));
  return {true, "", message.empty() ? "the connection to the database was lost" : std::move(message)};
}

std::string Connection::name_of(std::string_view sql) const {
  return fmt::format("s{:x}_{}", std::hash<std::string_view>{}(sql), sql.size());
}

Task<Outcome<std::vector<Rows>>> Connection::run(Pipeline pipeline, std::optional<Duration> deadline) {
  if (lost_) co_return fail_with(lose());
  const Deadline guard(*this, deadline.value_or(patience_));
  std::vector<bool> prepares;
  if (!send_all(pipeline, prepares) || !co_await flush()) co_return fail_with(lose());
  co_return co_await receive_all(pipeline, prepares);
}

Task<Outcome<void>> Connection::execute(Pipeline pipeline) {
  auto results = co_await run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  co_return Outcome<void>{};
}

Task<Outcome<Rows>> Connection::run_one(Pipeline pipeline, std::optional<Duration> deadline) {
  auto results = co_await run(std::move(pipeline), deadline);
  if (!results) co_return fail_with(std::move(results.error()));
  co_return std::move(results->front());
}

// Fills libpq's buffer; a text that the server does not know yet is prepared on the way.
Status Connection::send_all(const Pipeline& pipeline, std::vector<bool>& prepares) {
  std::unordered_set<std::string_view> on_the_way;
  bool sent = true;
  std::vector<const char*> values;
  std::vector<int> formats;
  for (const auto& [sql, params] : pipeline.statements_) {
    const bool is_new = !prepared_.contains(sql) && on_the_way.insert(sql).second;
    prepares.push_back(is_new);
    const auto name = name_of(sql);
    if (is_new)
      sent = sent && PQsendPrepare(handle_, name.c_str(), sql.c_str(), params.count(), params.oids()) == 1;
    values.clear();
    const auto count = static_cast<std::size_t>(params.count());
    for (std::size_t i = 0; i < count; ++i) values.push_back(params.is_null(i) ? nullptr : params.at(i));
    formats.assign(count, 1);
    sent = sent && PQsendQueryPrepared(handle_, name.c_str(), params.count(), values.data(), params.lengths(),
                                       formats.data(), 1) == 1;
  }
  if (sent && PQpipelineSync(handle_) == 1) return {};
  return fail(Errc::internal, "");
}

Task<bool> Connection::wait(Socket::wait_type what) {
  const auto [error] = co_await socket_.async_wait(what, use_tuple);
  co_return !error && !late_;
}

Task<bool> Connection::flush() {
  using asio::experimental::awaitable_operators::operator||;
  for (int left = PQflush(handle_); left != 0; left = PQflush(handle_)) {
    if (left < 0) co_return false;
    // The server may wait for us to read before it reads on.
    co_await (socket_.async_wait(Socket::wait_write, use_tuple) ||
              socket_.async_wait(Socket::wait_read, use_tuple));
    if (late_ || PQconsumeInput(handle_) == 0) co_return false;
  }
  co_return true;
}

Task<std::optional<pg_result*>> Connection::next_result() {
  while (PQisBusy(handle_) != 0) {
    if (!co_await wait(Socket::wait_read)) co_return std::nullopt;
    if (PQconsumeInput(handle_) == 0) co_return std::nullopt;
  }
  co_return PQgetResult(handle_);
}

// Of one command of the pipeline: its result, and the null behind it.
Task<Outcome<Rows>> Connection::receive_one(std::string_view prepared) {
  std::optional<Failure> failure;
  Rows rows;
  while (true) {
    const auto result = co_await next_result();
    if (!result) co_return fail_with(lose(std::move(failure)));
    if (*result == nullptr) break;
    Rows holder(*result);
    if (is_error(*result)) {
      failure = failure_of(*result);
    } else if (PQresultStatus(*result) == PGRES_PIPELINE_ABORTED) {
      failure = Failure{};
    } else {
      rows = std::move(holder);
    }
  }
  if (PQstatus(handle_) == CONNECTION_BAD) co_return fail_with(lose(std::move(failure)));
  if (failure) co_return fail_with(std::move(*failure));
  if (!prepared.empty()) prepared_.emplace(prepared);
  co_return rows;
}

Task<Outcome<std::vector<Rows>>> Connection::receive_all(const Pipeline& pipeline,
                                                         const std::vector<bool>& prepares) {
  std::vector<Rows> results;
  std::optional<Failure> first;
  for (std::size_t i = 0; i < pipeline.statements_.size() && !lost_; ++i) {
    if (prepares[i]) {
      auto prepared = co_await receive_one(pipeline.statements_[i].sql);
      if (!prepared && !first) first = std::move(prepared.error());
      if (lost_) break;
    }
    auto rows = co_await receive_one({});
    if (rows) {
      results.push_back(std::move(*rows));
    } else if (!first) {
      first = std::move(rows.error());
    }
  }
  if (!lost_) {
    auto failure = co_await receive_sync();
    if (!first) first = std::move(failure);
  }
  if (!first) co_return results;
  read_only_ = read_only_ || first->sqlstate == sqlstate::read_only;
  // A server that ends a session says why before it closes the connection.
  first->lost = lost_;
  co_return fail_with(std::move(*first));
}

// The end of a pipeline, where its transaction is committed unless it was before; that may fail, too.
Task<std::optional<Failure>> Connection::receive_sync() {
  std::optional<Failure> failure;
  while (const auto result = co_await next_result()) {
    const Rows holder(*result);
    if (*result == nullptr) {
      // Only a failure has one behind it.
      if (!failure || PQstatus(handle_) == CONNECTION_BAD) break;
    } else if (PQresultStatus(*result) == PGRES_PIPELINE_SYNC) {
      co_return failure;
    } else if (is_error(*result)) {
      failure = failure_of(*result);
    }
  }
  co_return lose(std::move(failure));
}

Task<Outcome<Rows>> Connection::run_script(std::string text, Duration deadline) {
  if (lost_) co_return fail_with(lose());
  const Deadline guard(*this, deadline);
  if (PQexitPipelineMode(handle_) != 1) co_return fail_with(lose());
  auto answer = co_await simple_query(text);
  if (!lost_ && PQenterPipelineMode(handle_) != 1) co_return fail_with(lose());
  co_return answer;
}

Task<Outcome<Rows>> Connection::simple_query(const std::string& text) {
  if (PQsendQuery(handle_, text.c_str()) != 1 || !co_await flush()) co_return fail_with(lose());
  co_return co_await receive_one({});
}

}  // namespace dg::store::postgres
