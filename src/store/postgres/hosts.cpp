#include "store/postgres/hosts.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/join.hpp>
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

std::string* find(Conninfo& conninfo, std::string_view keyword) {
  for (auto& [name, value] : conninfo)
    if (name == keyword) return &value;
  return nullptr;
}

// Hosts with their addresses and ports side by side, as libpq wants them.
struct Places {
  std::vector<std::string> hosts, addresses, ports;

  void add(const std::string& host, std::string address, const std::string& port) {
    hosts.push_back(host);
    addresses.push_back(std::move(address));
    ports.push_back(port);
  }
};

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

}  // namespace

Task<std::expected<Conninfo, std::string>> with_addresses(Timers& timers, Conninfo conninfo) {
  const auto* const host_value = find(conninfo, "host");
  if (host_value == nullptr || host_value->empty() || find(conninfo, "hostaddr") != nullptr)
    co_return conninfo;
  const auto hosts = list_of(*host_value);
  const auto* const port_value = find(conninfo, "port");
  const auto ports = list_of(port_value == nullptr ? "" : *port_value);
  Places places;
  std::string why;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& port = ports[ports.size() == hosts.size() ? i : 0];
    if (is_folder(hosts[i])) {
      places.add(hosts[i], "", port);
      continue;
    }
    Resolver resolver(timers.executor());
    const auto [error, found] = co_await resolver.async_resolve(hosts[i], "", use_tuple);
    if (error) why = fmt::format("the database's host {} is not known: {}", hosts[i], error.message());
    for (const auto& entry : found) places.add(hosts[i], entry.endpoint().address().to_string(), port);
  }
  if (places.hosts.empty()) co_return std::unexpected(std::move(why));
  *find(conninfo, "host") = boost::algorithm::join(places.hosts, ",");
  conninfo.emplace_back("hostaddr", boost::algorithm::join(places.addresses, ","));
  if (auto* const port = find(conninfo, "port")) *port = boost::algorithm::join(places.ports, ",");
  co_return conninfo;
}

Failure connect_failure(pg_conn* handle, bool late) {
  const std::string_view text = PQerrorMessage(handle);
  Failure failure{true, "", ""};
  std::size_t lines = 0;
  std::size_t hopeless = 0;
  std::vector<std::string> parts;
  boost::algorithm::split(parts, text, boost::is_any_of("\n"));
  for (auto& line : parts) {
    // Beside what each host said stand hints, and where in PostgreSQL's own code it failed.
    if (line.empty() || line.starts_with('\t') || line.starts_with("LOCATION:")) continue;
    if (auto state = take_sqlstate(line); !state.empty()) {
      failure.sqlstate = std::move(state);
      if (is_hopeless(failure.sqlstate)) ++hopeless;
    }
    ++lines;
    failure.message += (failure.message.empty() ? "" : "; ") + line;
  }
  if (PQconnectionNeedsPassword(handle) != 0) {
    failure.sqlstate = "28P01";
    hopeless = lines;
  }
  failure.lost = lines == 0 || hopeless < lines;
  if (late && failure.message.empty()) failure.message = "the database did not answer in time";
  return failure;
}

}  // namespace dg::store::postgres
