#include "cli/bench/cluster.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "cli/client/http_client.hpp"
#include "cli/config/database_url.hpp"

namespace dg::cli::bench {
namespace {

// What PostgreSQL's documentation says its buffers should be on a machine that is a database's.
std::string quarter_of_memory() {
  const auto bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return fmt::format("shared_buffers={}MB", std::max<std::int64_t>(bytes / 4 >> 20, 128));
}

namespace fs = std::filesystem;
using store::postgres::BlockingSession;
using store::postgres::Conninfo;

// Debian's newest; empty when there is none.
fs::path find_programs() {
  fs::path found;
  int newest = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    const auto version = std::atoi(entry.path().filename().c_str());
    if (version <= newest || !fs::exists(entry.path() / "bin" / "postgres")) continue;
    newest = version;
    found = entry.path() / "bin";
  }
  return found;
}

// PostgreSQL refuses to run as root, so then it is another user's.
const passwd* server_user() {
  if (::geteuid() != 0) return nullptr;
  const auto* const own = ::getpwnam("postgres");
  return own != nullptr ? own : ::getpwnam("nobody");
}

}  // namespace

std::string url_of(const Conninfo& conninfo) {
  std::string out = "postgresql://";
  for (const auto& [keyword, value] : conninfo)
    out += fmt::format("{}{}={}", out.back() == '/' ? "?" : "&", keyword, percent_encode(value));
  return out;
}

Task<Result<std::unique_ptr<Cluster>>> Cluster::start(SystemWorld& loop) {
  auto cluster = std::make_unique<Cluster>();
  cluster->scratch_ = std::make_unique<ScratchFolder>("bench-postgres");
  if (auto launched = co_await cluster->launch(loop); !launched) co_return fail(launched.error());
  co_return cluster;
}

Task<Status> Cluster::launch(SystemWorld& loop) {
  const auto programs = find_programs();
  if (programs.empty())
    co_return fail(Errc::unavailable,
                   "there is no PostgreSQL server in /usr/lib/postgresql; install one, or name one with "
                   "--database-url");
  const auto folder = scratch_->path().string();
  const auto data = folder + "/data";
  const auto* const user = server_user();
  const std::string user_name = user == nullptr ? "" : user->pw_name;
  if (user != nullptr && ::chown(folder.c_str(), user->pw_uid, user->pw_gid) != 0)
    co_return fail(Errc::internal, folder + " cannot be given to the user " + user_name);

  ChildOptions options;
  options.directory = "/";
  options.environment = {{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}};
  options.command = ending_with_us("KILL",
                                   {programs / "initdb", "--pgdata=" + data, "--username=postgres",
                                    "--encoding=UTF8", "--auth-local=trust", "--auth-host=reject"},
                                   user_name);
  const auto made = Process::start(loop, options);
  if (!made) co_return fail(made.error());
  if (auto done = co_await (*made)->wait_for_success(); !done)
    co_return fail(Errc::unavailable, "initdb failed:" + done.error().message);

  options.command = ending_with_us("QUIT",
                                   {programs / "postgres", "-D", data, "-c", "listen_addresses=", "-c",
                                    "unix_socket_directories=" + folder, "-c", quarter_of_memory()},
                                   user_name);
  auto server = Process::start(loop, options, "database system is ready");
  if (!server) co_return fail(server.error());
  server_ = std::move(*server);
  if (const auto ready = co_await server_->wait_for_mark(); !ready) co_return fail(ready.error());
  conninfo_ = {{"host", folder}, {"user", "postgres"}, {"dbname", "postgres"}};
  co_return Status{};
}

Result<std::unique_ptr<Cluster>> Cluster::at(const std::string& url) {
  const auto keywords = read_database_url(url);
  if (!keywords)
    return fail(Errc::invalid_argument,
                "--database-url is no URI of PostgreSQL: " + keywords.error().message);
  auto cluster = std::make_unique<Cluster>();
  cluster->conninfo_.assign(keywords->begin(), keywords->end());
  return cluster;
}

Result<std::unique_ptr<BlockingSession>> Cluster::open() const {
  auto session = BlockingSession::open(conninfo_);
  if (!session) return fail(session.error().to_command_error());
  return std::move(*session);
}

Result<std::string> Cluster::describe() const {
  const auto session = open();
  if (!session) return fail(session.error());
  auto said = (*session)->run(
      "SELECT split_part(current_setting('server_version'), ' ', 1), current_setting('fsync'), "
      "current_setting('synchronous_commit'), current_setting('shared_buffers')");
  if (auto failed = (*session)->status(); !failed) return fail(failed.error());
  said.next();
  const auto version = said.text();
  const auto fsync = said.text();
  const auto commit = said.text();
  return fmt::format("PostgreSQL {}{}, fsync {}, synchronous_commit {}, shared_buffers {}", version,
                     server_ ? " of its own" : "", fsync, commit, said.view());
}

Result<Conninfo> Cluster::create_database(const std::string& name) const {
  const auto session = open();
  if (!session) return fail(session.error());
  (*session)->run(fmt::format("CREATE DATABASE \"{}\"", name));
  if (auto failed = (*session)->status(); !failed) return fail(failed.error());
  auto conninfo = conninfo_;
  store::postgres::set_value(conninfo, "dbname", name);
  return conninfo;
}

void Cluster::drop_database(const std::string& name) const {
  const auto session = open();
  if (session) (*session)->run(fmt::format("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", name));
}

Task<void> Cluster::stop() {
  if (server_) co_await server_->stop(SIGINT);
}

}  // namespace dg::cli::bench
