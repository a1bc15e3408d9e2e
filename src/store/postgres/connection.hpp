// One connection to PostgreSQL, on an event loop: statements go out in pipelines and are waited for together.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/async.hpp"
#include "store/postgres/conninfo.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/params.hpp"
#include "store/postgres/rows.hpp"

struct pg_conn;
struct pg_result;

namespace dg::store::postgres {

// What needs no work is answered within this time, or by nobody.
inline constexpr Duration time_of_small_questions = std::chrono::seconds(5);

struct ConnectOptions {
  Conninfo conninfo;
  Duration connect_deadline = std::chrono::seconds(5);
  // The server gives up a statement after this, and its transaction's idle time after the second. One that
  // has not said so some seconds later is given up itself.
  std::chrono::milliseconds statement_timeout{20000};
  std::chrono::milliseconds idle_in_transaction_timeout{15000};
};

// Statements that are sent together: one round trip for all of them. Without BEGIN and COMMIT among them they
// are one transaction. The texts are kept prepared by each connection, so they come from a bounded set.
class Pipeline {
 public:
  // Gives the place of the statement's rows among the results. Values are copied.
  template <class... Values>
  std::size_t add(std::string_view sql, const Values&... values) {
    return add_prepared(sql, Params(values...));
  }
  std::size_t add_prepared(std::string_view sql, Params params) {
    statements_.push_back({std::string(sql), std::move(params)});
    return statements_.size() - 1;
  }
  // Adds the statements of another one behind these.
  void append(Pipeline other) {
    for (auto& statement : other.statements_) statements_.push_back(std::move(statement));
  }
  bool empty() const { return statements_.empty(); }
  std::size_t size() const { return statements_.size(); }

 private:
  friend class Connection;
  struct Item {
    std::string sql;
    Params params;
  };
  std::vector<Item> statements_;
};

// Used by one coroutine at a time.
class Connection {
 public:
  // Opens a connection and sets what every session has. Hosts, and the addresses of each, are tried in order
  // until the deadline, with a share of the time for each. The timers outlive it.
  static Task<Outcome<std::unique_ptr<Connection>>> open(Timers& timers, ConnectOptions options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The rows of each statement, in order, when the server has answered all of them; the first failure where
  // one failed, and then none of the later ones happened. A server that does not answer by the deadline is
  // given up: the connection is lost. Without one it has somewhat longer than for a statement.
  Task<Outcome<std::vector<Rows>>> run(Pipeline pipeline, std::optional<Duration> deadline = {});
  // The same where nobody needs the rows.
  Task<Outcome<void>> execute(Pipeline pipeline);
  // A pipeline of one.
  template <class... Values>
  Task<Outcome<Rows>> query(std::string_view sql, const Values&... values) {
    Pipeline pipeline;
    pipeline.add(sql, values...);
    return run_one(std::move(pipeline), {});
  }
  // The same of a small question.
  template <class... Values>
  Task<Outcome<Rows>> ask(std::string_view sql, const Values&... values) {
    Pipeline pipeline;
    pipeline.add(sql, values...);
    return run_one(std::move(pipeline), time_of_small_questions);
  }
  // Statements without parameters, several in one text: a script. Not while a pipeline is under way.
  Task<Outcome<Rows>> run_script(std::string text, Duration deadline);

  // Whatever is waited for from now on is given up then at the latest, as by its own deadline; none: by that
  // alone.
  void give_up_at(std::optional<SteadyTime> time) { give_up_at_ = time; }

  // No more of use: to be thrown away. So is one, after its transaction, whose server takes no changes:
  // another may take them now.
  bool is_lost() const { return lost_ || (read_only_ && !in_transaction()); }
  // Whether a transaction is open on it, or failed on it.
  bool in_transaction() const;
  int server_version() const;  // as libpq gives it: 150018
  int backend_pid() const;
  Timers& timers() const { return timers_; }

 private:
  Connection(Timers& timers, pg_conn* handle, Duration patience);

  using Socket = boost::asio::posix::basic_stream_descriptor<Executor>;
  class Deadline;
  static Task<Outcome<std::unique_ptr<Connection>>> open_at(Timers& timers, const Conninfo& conninfo,
                                                            SteadyTime deadline, Duration patience);
  Task<Outcome<std::vector<Rows>>> configure(const ConnectOptions& options, SteadyTime deadline);
  static Task<bool> poll_until_connected(Timers& timers, pg_conn* handle, SteadyTime deadline);
  Task<Outcome<Rows>> run_one(Pipeline pipeline, std::optional<Duration> deadline);
  Task<Outcome<Rows>> simple_query(const std::string& text);
  Status send_all(const Pipeline& pipeline, std::vector<bool>& prepares);
  Task<bool> flush();
  Task<bool> wait(Socket::wait_type what);
  // The next result; null between those of two statements. None when the connection was lost.
  Task<std::optional<pg_result*>> next_result();
  Task<Outcome<std::vector<Rows>>> receive_all(const Pipeline& pipeline, const std::vector<bool>& prepares);
  Task<Outcome<Rows>> receive_one(std::string_view prepared);
  Task<std::optional<Failure>> receive_sync();
  Failure lose(std::optional<Failure> said = {});
  std::string name_of(std::string_view sql) const;

  Timers& timers_;
  pg_conn* handle_;
  Socket socket_;
  Duration patience_;
  std::unordered_set<std::string> prepared_;  // texts that the server knows
  std::optional<SteadyTime> give_up_at_;
  bool lost_ = false;
  bool read_only_ = false;  // the server has refused a change
  bool late_ = false;       // the deadline passed
};

}  // namespace dg::store::postgres
