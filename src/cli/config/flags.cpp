#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/config/commands.hpp"
#include "cli/config/setting_table.hpp"

namespace dg::cli {
namespace {

std::string help_of(const Setting& setting) {
  if (setting.fallback.empty()) return fmt::format("{} [{}]", setting.help, setting.name);
  return fmt::format("{} [{}, {} unless set]", setting.help, setting.name, setting.fallback);
}

CLI::Option* add_flag_of(CLI::App& command, const Setting& setting, SettingSources& sources) {
  const auto flag = flag_of(setting);
  if (setting.is_list())
    return command
        .add_option_function<Texts>(
            flag,
            [&setting, &sources](const Texts& given) {
              sources.flags.insert_or_assign(setting.name, fmt::format("{}", fmt::join(given, ",")));
            },
            help_of(setting))
        ->allow_extra_args(false);
  auto* const option = command.add_option_function<std::string>(
      flag,
      [&setting, &sources](const std::string& given) {
        const bool alone = setting.is_switch() && given.empty();
        sources.flags.insert_or_assign(setting.name, alone ? "true" : given);
      },
      help_of(setting));
  return setting.is_switch() ? option->expected(0, 1) : option;
}

void add_flags(CLI::App& command, SettingSources& sources, const char* group,
               bool (*wanted)(const Setting& setting)) {
  command.add_option("--config", sources.config, "A file of settings, in YAML [DURAGRAPH_CONFIG]");
  for (const auto& setting : setting_table())
    if (wanted(setting))
      add_flag_of(command, setting, sources)
          ->group(group)
          ->type_name(setting.is_switch() ? "[true|false]" : "VALUE");
}

}  // namespace

void add_setting_flags(CLI::App& command, SettingSources& sources) {
  add_flags(command, sources, "Settings", [](const Setting&) { return true; });
}

void add_database_flags(CLI::App& command, SettingSources& sources) {
  add_flags(command, sources, "PostgreSQL", says_where_database_is);
}

void add_token_flags(CLI::App& command, SettingSources& sources) {
  add_flags(command, sources, "JWT", says_what_tokens_are);
}

}  // namespace dg::cli
