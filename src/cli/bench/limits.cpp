#include "cli/bench/limits.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/json.hpp"
#include "net/server.hpp"

namespace dg::cli::bench {
namespace {

Task<net::Response> json_response(const std::string& body) {
  net::Response response;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = body;
  co_return response;
}

// How long a measurement lasts, as bare.py takes it.
std::string seconds_text(const Bench& bench) {
  return fmt::format("{}", std::chrono::duration<double>(bench.duration).count());
}

// Runs bare.py with those arguments and gives the JSON that it prints.
Task<Result<std::string>> run_bare(Bench& bench, std::vector<std::string> arguments) {
  const ScratchFolder scratch("bench");
  if (auto written = write_files(bench_files(), scratch.path()); !written) co_return fail(written.error());
  ChildOptions options;
  options.command = {bench.python.string(), "bare.py"};
  std::ranges::move(arguments, std::back_inserter(options.command));
  options.directory = scratch.path().string();
  options.environment = environment_of(bench.python);
  auto child = Child::start(bench.loop.io, options);
  if (!child) co_return fail(child.error());
  std::string last;
  const auto end = co_await (*child)->run(
      *child, [&last](const std::string& line) { last = line; }, [](const std::string&) {});
  if (end.code != 0 || end.signal != 0 || !json::validate(last, json::worker_rules))
    co_return fail(Errc::unavailable, "the bare graph cannot be run: " + last);
  co_return last;
}

}  // namespace

Task<Result<BareGraph>> measure_bare_graph(Bench& bench) {
  const auto told = co_await run_bare(bench, {"runs", seconds_text(bench)});
  if (!told) co_return fail(told.error());
  const json::View found(*told);
  co_return BareGraph{found["p50_ms"].number().value_or(0), found["per_s"].number().value_or(0)};
}

Task<Result<BareTokens>> measure_bare_tokens(Bench& bench, int streams, int tokens_per_second) {
  const auto told = co_await run_bare(
      bench, {"tokens", seconds_text(bench), std::to_string(streams), std::to_string(tokens_per_second)});
  if (!told) co_return fail(told.error());
  const json::View found(*told);
  co_return BareTokens{found["p50_ms"].number().value_or(0), found["p99_ms"].number().value_or(0),
                       found["per_s"].number().value_or(0)};
}

double measure_flush(Duration duration) {
  const ScratchFolder scratch("bench");
  const auto file = ::open((scratch.path() / "log").c_str(), O_CREAT | O_WRONLY, 0600);
  const std::string bytes(8192, 'x');
  Samples samples;
  const auto end = std::chrono::steady_clock::now() + duration;
  while (file >= 0 && std::chrono::steady_clock::now() < end) {
    const auto began = std::chrono::steady_clock::now();
    if (::write(file, bytes.data(), bytes.size()) < 0 || ::fdatasync(file) != 0) break;
    samples.add(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began));
  }
  if (file >= 0) ::close(file);
  return samples.percentile(0.5);
}

struct MemoryServer::Parts {
  SystemWorld loop;
  net::Router router;
  std::string body;
  std::unique_ptr<net::Server> server;
};

MemoryServer::MemoryServer(std::string body) : parts_(std::make_unique<Parts>()) {
  auto& parts = *parts_;
  parts.body = std::move(body);
  parts.router.add(net::Method::get, "/bytes", [&parts](net::Request&) { return json_response(parts.body); });
  auto server = net::listen(
      parts.loop.io, parts.loop.env, "127.0.0.1", 0, parts.router,
      [](net::Request& request, const net::Router::Match& match) { return (*match.handler)(request); },
      [](const net::Request&, const Error&) { return net::Response{}; });
  if (!server) return;
  parts.server = std::move(*server);
  parts.server->serve();
  url_ = fmt::format("http://127.0.0.1:{}", parts.server->port());
  thread_ = std::thread([&parts] { parts.loop.io.run(); });
}

MemoryServer::~MemoryServer() {
  parts_->loop.io.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace dg::cli::bench
