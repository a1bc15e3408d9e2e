#include "store/sqlite/database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <mutex>
#include <utility>

namespace dg::store::sqlite {
namespace {

constexpr std::int64_t page_bytes = 4096;
constexpr int progress_interval = 20000;  // virtual machine steps
constexpr int truncate_wait_ms = 500;

// Memory statistics take a lock that all connections share.
void configure_library() {
  static std::once_flag once;
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

Errc code_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::unavailable;
    case SQLITE_INTERRUPT:
      return Errc::timeout;
    default:
      return Errc::internal;
  }
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open_handle(const std::string& name, int flags) {
  configure_library();
  std::unique_ptr<Database> db(new Database);
  const int code = sqlite3_open_v2(name.c_str(), &db->handle_,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code == SQLITE_OK) return db;
  return dg::fail(Errc::internal, fmt::format("cannot open the database {}: {}", name, sqlite3_errstr(code)));
}

Result<std::unique_ptr<Database>> Database::open(const ConnectionOptions& options) {
  auto db = open_handle(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!db) return db;
  (*db)->configure(options);
  return usable(options.path, std::move(*db));
}

Result<std::unique_ptr<Database>> Database::open_to_read(const std::string& uri, bool alone) {
  auto db = open_handle(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  if (!db) return db;
  (*db)->configure_to_read(alone);
  return usable(uri, std::move(*db));
}

Result<std::unique_ptr<Database>> Database::usable(const std::string& name, std::unique_ptr<Database> db) {
  auto status = db->take_status();
  if (status) return db;
  status.error().message = fmt::format("cannot use the database {}: {}", name, status.error().message);
  return dg::fail(std::move(status.error()));
}

void Database::configure_to_read(bool alone) {
  busy_timeout_ = std::chrono::seconds(5);
  sqlite3_busy_timeout(handle_, static_cast<int>(busy_timeout_.count()));
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  // This one comes first: the others may look into the file.
  if (alone) run_script("PRAGMA locking_mode=EXCLUSIVE");
  run_script(
      "PRAGMA query_only=1; PRAGMA temp_store=FILE; PRAGMA cache_size=-16384; PRAGMA trusted_schema=OFF;");
}

void Database::configure(const ConnectionOptions& options) {
  busy_timeout_ = options.busy_timeout;
  sqlite3_busy_timeout(handle_, static_cast<int>(busy_timeout_.count()));
  sqlite3_progress_handler(handle_, progress_interval, &Database::on_progress, this);
  run_script(
      fmt::format("PRAGMA page_size={}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                  "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-{}; PRAGMA mmap_size={};"
                  "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;",
                  page_bytes, options.cache_kib, options.mmap_bytes));
  sqlite3_wal_hook(handle_, &Database::on_commit, this);
}

Database::~Database() {
  for (auto& [sql, statement] : idle_statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Status Database::take_status() {
  if (!error_) return {};
  Error error = std::move(*error_);
  error_.reset();
  return dg::fail(std::move(error));
}

void Database::fail_with(Error error) {
  if (!error_) error_ = std::move(error);
}

void Database::note_error(int code, std::string_view sql) {
  if (error_) return;
  error_ = Error{code_of(code),
                 fmt::format("SQLite: {} ({}) in: {}", sqlite3_errmsg(handle_), code, sql.substr(0, 120)),
                 {}};
}

void Database::run_script(const std::string& sql) {
  if (error_) return;
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) note_error(code, sql);
}

void Database::rollback() {
  if (sqlite3_get_autocommit(handle_) == 0) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(handle_);
}

void Database::checkpoint_passive() {
  // Somebody else's checkpoint in progress serves as well, so a refusal is no error.
  sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

bool Database::checkpoint_truncate() {
  sqlite3_busy_timeout(handle_, truncate_wait_ms);
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(handle_, static_cast<int>(busy_timeout_.count()));
  if (code == SQLITE_OK) wal_bytes_ = 0;
  return code == SQLITE_OK;
}

int Database::on_commit(void* self, sqlite3*, const char*, int pages) {
  static_cast<Database*>(self)->wal_bytes_ = pages * page_bytes;
  return SQLITE_OK;
}

int Database::on_progress(void* self) {
  const auto& deadline = static_cast<Database*>(self)->deadline_;
  return deadline && std::chrono::steady_clock::now() > *deadline ? 1 : 0;
}

sqlite3_stmt*& Database::place_of(std::string_view sql) {
  auto found = idle_statements_.find(sql);
  if (found == idle_statements_.end()) found = idle_statements_.emplace(std::string(sql), nullptr).first;
  return found->second;
}

// One text may be in use twice at a time.
sqlite3_stmt* Database::take_statement(std::string_view sql, sqlite3_stmt*& place) {
  if (auto* const idle = std::exchange(place, nullptr); idle != nullptr) return idle;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) note_error(code, sql);
  return statement;
}

void Database::give_back(sqlite3_stmt* statement, sqlite3_stmt*& place) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  sqlite3_finalize(std::exchange(place, statement));
}

Query::Query(Plain, Database& db, std::string_view sql, bool copies) : db_(db), copies_(copies) {
  if (db_.failed()) return;
  place_ = &db_.place_of(sql);
  statement_ = db_.take_statement(sql, *place_);
}

Query::~Query() {
  if (statement_ != nullptr) Database::give_back(statement_, *place_);
}

bool Query::next() {
  column_ = 0;
  if (statement_ == nullptr || db_.failed()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) db_.note_error(code, sqlite3_sql(statement_));
  return false;
}

void Query::bind(std::string_view value) {
  if (statement_ == nullptr) return;
  const char* const data = value.data() == nullptr ? "" : value.data();
  const int code = sqlite3_bind_text64(statement_, ++parameter_, data, value.size(),
                                       copies_ ? SQLITE_TRANSIENT : SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) db_.note_error(code, sqlite3_sql(statement_));
}

void Query::bind(Blob value) {
  if (statement_ == nullptr) return;
  const char* const data = value.bytes.data() == nullptr ? "" : value.bytes.data();
  const int code = sqlite3_bind_blob64(statement_, ++parameter_, data, value.bytes.size(),
                                       copies_ ? SQLITE_TRANSIENT : SQLITE_STATIC);
  if (code != SQLITE_OK) db_.note_error(code, sqlite3_sql(statement_));
}

void Query::bind_integer(std::int64_t value) {
  if (statement_ != nullptr) sqlite3_bind_int64(statement_, ++parameter_, value);
}

void Query::bind_null() {
  if (statement_ != nullptr) sqlite3_bind_null(statement_, ++parameter_);
}

std::string_view Query::view() {
  const int column = column_++;
  const void* const data = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(data), size);
}

std::string Query::text() {
  return std::string(view());
}

std::int64_t Query::integer() {
  return sqlite3_column_int64(statement_, column_++);
}

std::optional<std::string> Query::optional_text() {
  if (sqlite3_column_type(statement_, column_) == SQLITE_NULL) {
    ++column_;
    return std::nullopt;
  }
  return text();
}

}  // namespace dg::store::sqlite
