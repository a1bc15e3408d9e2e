// `duragraph token create`.
#include "auth/token.hpp"

#include <memory>

#include "base/json.hpp"
#include "cli/access/commands.hpp"
#include "cli/access/holder.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/client/output.hpp"
#include "cli/config/commands.hpp"
#include "cli/server/authentication.hpp"

namespace dg::cli {
namespace {

struct TokenOptions {
  SettingSources sources;
  Holder holder{.user = "", .ttl = "1h"};
  bool json = false;
};

void print_token(Output& out, const TokenOptions& options, const std::string& token, WallTime ends) {
  if (!options.json) return out.line(token);
  json::Writer json;
  json.begin_object().key("token").string(token).key("user").string(options.holder.user);
  json.key("role").string(options.holder.role).key("expires_at").string(to_rfc3339(ends)).end_object();
  out.line(json.take());
}

int create_token(const TokenOptions& options) {
  Output out(options.json);
  const auto refuse = [&out](const Error& error) {
    out.error(error.message);
    return static_cast<int>(exit_code_for(error.code));
  };
  const auto settings = load_token_settings(options.sources);
  if (!settings) return refuse(settings.error());
  if (settings->jwt_secret.empty())
    return refuse(
        {Errc::invalid_argument,
         "JWT_SECRET is not set: tokens are signed with the secret that the server checks them with",
         {}});
  const auto now = make_system_clock()->now();
  const auto lifetime = options.holder.lifetime().value_or(std::chrono::seconds(0));
  print_token(out, options,
              auth::mint_token(settings->jwt_secret, options.holder.identity(), token_rules(*settings), now,
                               lifetime),
              now + lifetime);
  return 0;
}

}  // namespace

void add_token_commands(CLI::App& app, int& exit_code) {
  auto* const token = app.add_subcommand("token", "JWTs for clients and workers");
  token->require_subcommand(1);
  auto* const command = token->add_subcommand("create", "Print a JWT that JWT_SECRET signs");
  const auto options = std::make_shared<TokenOptions>();
  add_holder(*command, options->holder, "How long it is good for: 90s, 30m, 12h, 7d");
  add_token_flags(*command, options->sources);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "The settings are those that `duragraph serve` would use here: from flags, the environment and the "
      "file of "
      "settings.");
  command->callback([options, &exit_code] { exit_code = create_token(*options); });
}

void add_access_commands(CLI::App& app, int& exit_code) {
  add_token_commands(app, exit_code);
  add_key_commands(app, exit_code);
}

}  // namespace dg::cli
