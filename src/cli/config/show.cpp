#include <fmt/format.h>

#include <csignal>
#include <memory>

#include "base/json.hpp"
#include "cli/client/client.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/client/output.hpp"
#include "cli/config/commands.hpp"
#include "cli/config/setting_table.hpp"

namespace dg::cli {
namespace {

struct ShowOptions {
  SettingSources sources;
  bool origin = false;
  bool json = false;
};

int show_settings(const ShowOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  Output out(options.json);
  const auto settings = load_settings(options.sources);
  if (!settings) {
    out.error(settings.error().message);
    return static_cast<int>(exit_code_for(settings.error().code));
  }
  for (const auto& warning : settings->warnings) out.note("warning: " + warning);
  if (options.json) {
    out.line(settings_as_json(*settings));
  } else {
    out.data(out.printable(settings_as_table(*settings, options.origin)));
  }
  return static_cast<int>(ExitCode::ok);
}

}  // namespace

std::string settings_as_table(const ServeSettings& settings, bool with_origin) {
  std::vector<std::vector<std::string>> rows{{"SETTING", "VALUE"}};
  if (with_origin) rows.front().emplace_back("ORIGIN");
  for (const auto& setting : setting_table()) {
    const auto value = shown_value(setting, settings);
    rows.push_back({setting.name, value.empty() ? "-" : value});
    if (with_origin) rows.back().push_back(to_string(settings.origin_of(setting.name)));
  }
  return format_table(rows);
}

std::string settings_as_json(const ServeSettings& settings) {
  json::Writer out;
  out.begin_object();
  for (const auto& setting : setting_table()) {
    out.key(setting.name).begin_object().key("value").raw(shown_json(setting, settings));
    out.key("origin").string(to_string(settings.origin_of(setting.name))).end_object();
  }
  out.end_object();
  return out.take();
}

void add_config_commands(CLI::App& app, int& exit_code) {
  auto& config = group(app, "config", "The settings of `duragraph serve`");
  auto* const show =
      config.add_subcommand("show", "Print the settings that `serve` would have here, secrets masked");
  const auto options = std::make_shared<ShowOptions>();
  show->add_flag("--origin", options->origin, "Print where each value comes from; JSON always says it");
  show->add_flag("--json", options->json, "Print JSON");
  add_setting_flags(*show, options->sources);
  show->callback([options, &exit_code] { exit_code = show_settings(*options); });
}

}  // namespace dg::cli
