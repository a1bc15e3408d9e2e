#include "store/postgres/hosts.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cctype>

namespace dg::store::postgres {
namespace {

namespace asio = boost::asio;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, Executor>;
constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});

std::vector<std::string> list_of(const std::string& text) {
  std::vector<std::string> out;
  boost::algorithm::split(out, text, boost::is_any_of(","));
  return out;
}

// The settings for one of the hosts, at an address where it has one.
Conninfo at_place(const Conninfo& conninfo, const std::string& host, std::string address,
                  const std::string& port) {
  auto place = conninfo;
  set_value(place, "host", host);
  if (!address.empty()) set_value(place, "hostaddr", std::move(address));
  if (!port.empty()) set_value(place, "port", port);
  return place;
}

// Takes the SQLSTATE out of "... FATAL:  28P01: password authentication failed ...", where the words may be
// in any language; empty when there is none.
std::string take_sqlstate(std::string& line) {
  constexpr std::string_view before = ":  ";
  constexpr std::string_view after = ": ";
  constexpr std::size_t length = 5;
  const auto at = line.find(before);
  if (at == std::string::npos) return {};
  const auto first = at + before.size();
  auto state = line.substr(first, length);
  const bool is_state =
      state.size() == length && line.substr(first + length).starts_with(after) &&
      std::ranges::all_of(state, [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
  if (!is_state) return {};
  line.erase(first, length + after.size());
  return state;
}

// Of classes that are the same however often one asks: wrong credentials, no such database.
bool is_hopeless(std::string_view sqlstate) {
  return sqlstate.starts_with("28") || sqlstate.starts_with("3D");
}

bool is_folder(const std::string& host) {
  return host.empty() || host.front() == '/' || host.front() == '@';
}

// libpq says what is wrong with TLS, but not what to do about it.
std::string_view tls_remedy(std::string_view message) {
  if (message.contains("certificate verify failed"))
    return ": let DB_SSLROOTCERT name the authority that signed PostgreSQL's certificate";
  if (message.contains("does not match host name"))
    return ": let DB_HOST be a name that PostgreSQL's certificate has, or DB_SSLMODE be verify-ca";
  if (message.contains("does not support SSL")) return ": switch it on there, or let DB_SSLMODE be prefer";
  return {};
}

}  // namespace

Task<std::expected<std::vector<Conninfo>, std::string>> places_of(Timers& timers, Conninfo conninfo) {
  const std::string host_list(value_of(conninfo, "host"));
  std::vector<Conninfo> places;
  if (host_list.empty() || !value_of(conninfo, "hostaddr").empty()) {
    places.push_back(std::move(conninfo));
    co_return places;
  }
  const auto hosts = list_of(host_list);
  const auto ports = list_of(std::string(value_of(conninfo, "port")));
  std::string why;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& port = ports[ports.size() == hosts.size() ? i : 0];
    if (is_folder(hosts[i])) {
      places.push_back(at_place(conninfo, hosts[i], "", port));
      continue;
    }
    Resolver resolver(timers.executor());
    const auto [error, found] = co_await resolver.async_resolve(hosts[i], "", use_tuple);
    if (error) why = fmt::format("the database's host {} is not known: {}", hosts[i], error.message());
    for (const auto& entry : found)
      places.push_back(at_place(conninfo, hosts[i], entry.endpoint().address().to_string(), port));
  }
  if (places.empty()) co_return std::unexpected(std::move(why));
  co_return places;
}

Failure connect_failure(pg_conn* handle, bool late) {
  const std::string_view text = PQerrorMessage(handle);
  Failure failure{true, "", ""};
  std::vector<std::string> lines;
  boost::algorithm::split(lines, text, boost::is_any_of("\n"));
  for (auto& line : lines) {
    // Beside what the host said stand hints, and where in PostgreSQL's own code it failed.
    if (line.empty() || line.starts_with('\t') || line.starts_with("LOCATION:")) continue;
    if (auto state = take_sqlstate(line); !state.empty()) failure.sqlstate = std::move(state);
    failure.message += (failure.message.empty() ? "" : "; ") + line;
  }
  if (PQconnectionNeedsPassword(handle) != 0) failure.sqlstate = "28P01";
  failure.lost = !is_hopeless(failure.sqlstate);
  failure.message += tls_remedy(failure.message);
  // Of a host that says nothing libpq has written "connection to server at … failed: " so far.
  if (late && failure.message.empty()) failure.message = "the database: ";
  if (late && failure.message.ends_with(": ")) failure.message += "no answer in time";
  return failure;
}

Failure joined(const std::vector<Failure>& failures) {
  Failure all{false, "", ""};
  for (const auto& failure : failures) {
    all.lost = all.lost || failure.lost;
    if (!failure.sqlstate.empty()) all.sqlstate = failure.sqlstate;
    all.message += (all.message.empty() ? "" : "; ") + failure.message;
  }
  return all;
}

}  // namespace dg::store::postgres
