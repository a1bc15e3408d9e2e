// The PostgreSQL server that a bench uses: one of its own, or one that is there.
#pragma once

#include <memory>
#include <string>

#include "base/scratch_folder.hpp"
#include "cli/bench/process.hpp"
#include "store/postgres/blocking_session.hpp"
#include "store/postgres/conninfo.hpp"

namespace dg::cli::bench {

// Destroying it kills the server, if it is its own.
class Cluster {
 public:
  // Makes one in a temporary folder, of this machine's programs and with PostgreSQL's own settings: every
  // commit is flushed. It listens on a socket in that folder. unavailable: there are no such programs, or
  // they say why not.
  static Task<Result<std::unique_ptr<Cluster>>> start(SystemWorld& loop);
  // The one that a URL names, in whose place databases of other names are made.
  static Result<std::unique_ptr<Cluster>> at(const std::string& url);

  // What it is: "PostgreSQL 15.14 of its own, fsync on, synchronous_commit on".
  Result<std::string> describe() const;
  // Makes an empty database of that name.
  Result<store::postgres::Conninfo> create_database(const std::string& name) const;
  // Ends the sessions on it, and drops it; a failure leaves it there.
  void drop_database(const std::string& name) const;
  // Ends the server, if it is its own.
  Task<void> stop();

 private:
  Result<std::unique_ptr<store::postgres::BlockingSession>> open() const;
  Task<Status> launch(SystemWorld& loop);

  std::unique_ptr<ScratchFolder> scratch_;  // null: the server is not its own
  std::unique_ptr<Process> server_;
  store::postgres::Conninfo conninfo_;
};

// The same as a URL.
std::string url_of(const store::postgres::Conninfo& conninfo);

}  // namespace dg::cli::bench
